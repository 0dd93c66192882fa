"""The values that are refused, by key, and what the error says."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import UserError
from config import rules
from config.types import StackIdentity
from tests.support.configuration import PROJECT, load, refusal

PATIENT = settings(deadline=None, database=None)
STACK = StackIdentity(project=PROJECT, stack="dev", local=False, aws_region="us-east-1")


BOUNDS = {
    "memory": (128, 10240),
    "timeout": (1, 29),
    "reservedConcurrency": (0, 1000),
    "throttleRate": (1, 10000),
    "throttleBurst": (1, 5000),
    "neonHistorySeconds": (0, 2592000),
    "neonSuspendSeconds": (-1, 604800),
    "postgresVersion": (14, 18),
}


@pytest.mark.parametrize("key", BOUNDS)
def test_a_number_beyond_its_bounds_is_refused_with_both_of_them(key: str):
    low, high = BOUNDS[key]
    for value in (low - 1, high + 1):
        message = refusal(config={key: str(value)})
        assert re.match(rf"{key} is {value}: {low} to {high}\b", message), (
            "key, value and what is allowed"
        )
        assert f"pulumi config set {key} " in message


@pytest.mark.parametrize("end", [0, 1])
def test_a_number_at_its_bounds_is_accepted(end: int):
    config = {key: str(bounds[end]) for key, bounds in BOUNDS.items()}
    assert load(stack="dev", config={**config, "databaseBranchOf": "quiet-forest-1"})


WRONG = [
    # key, value, what the message must say beside key and value
    ("memory", "100", "128 to 10240"),
    ("memory", "512.5", "a whole number"),
    ("memory", "much", "a whole number"),
    ("bytecode", "yes", "true or false"),
    ("protect", "1", "true or false"),
    ("architecture", "riscv", "arm64, x86_64"),
    ("python", "3.11", "3.12, 3.13, 3.14"),
    ("python", "3.1", "3.12, 3.13, 3.14"),
    ("sslMode", "disable", "require, verify-full are allowed"),
    ("logRetentionDays", "31", "30, 60"),
    ("timeZone", "Europe/Berlni", "did you mean Europe/Berlin?"),
    ("timeZone", "Mars", "such as Europe/Berlin"),
    ("timeZone", "europe/berlin", "did you mean Europe/Berlin?"),
    ("timeZone", "+02:00", "such as Europe/Berlin"),
    ("timeZone", "localtime", "an IANA time zone"),
    ("timeZone", "", "such as Europe/Berlin"),
    ("upkeep", "nightly", "true or false"),
    ("neonRegion", "us-east-1", "aws-us-east-1"),
    ("neonRegion", "aws-eu-west-1", "aws-eu-west-2"),
    ("neonRegion", "aws-aws-us-east-1", "aws-us-east-1"),
    ("neonOrgId", "Quiet Forest", "an organization's id"),
    ("databaseBranchOf", "Quiet Forest", "a project's id at Neon"),
    ("databaseBranchOf", "quiet/forest", "a project's id at Neon"),
    ("neonBranchProtected", "yes", "true or false"),
    ("neonMinCu", "0.3", "0.25, 0.5, 1"),
    ("neonMaxCu", "17", "0.25, 0.5, 1"),
    ("neonMaxCu", "18", "set neonMinCu to the same value"),
    ("neonMaxCu", "58", "54, 56"),
    ("neonMinCu", "nan", "0.25, 0.5, 1"),
    ("neonMinCu", "2", "neonMinCu (2)"),
    ("neonMaxCu", "9", "neonMinCu (0.25)"),
    ("extraOrigins", '["https://www.example.com/app"]', "no path"),
    ("extraOrigins", '["https://www.example.com/"]', "no trailing slash"),
    ("extraOrigins", '["*"]', "no '*'"),
    ("extraOrigins", '["https://*.example.com"]', "no '*'"),
    ("extraOrigins", '["null"]', "exact origin"),
    ("extraOrigins", '["www.example.com"]', "exact origin"),
    ("extraOrigins", '["https://WWW.example.com"]', "exact origin"),
    ("extraOrigins", '["https://www.example.com:443"]', "browsers leave :443 out"),
    ("extraOrigins", '["http://www.example.com:80"]', "browsers leave :80 out"),
    ("extraOrigins", '["https://www.example.com:70000"]', "exact origin"),
    ("extraOrigins", '["https://a.example.com,https://b.example.com"]', "exact origin"),
    ("extraOrigins", '["https://user@www.example.com"]', "exact origin"),
    ("extraOrigins", "https://www.example.com", "a list"),
    ("extraOrigins", '"https://www.example.com"', "a list of texts"),
    ("extraOrigins", "[1]", "extraOrigins[0] is '1': an exact origin"),
    ("extraOrigins", '[["a"]]', "a text is expected"),
    ("allowedAccountIds", '["12345"]', "twelve digits"),
    ("allowedAccountIds", "123456789012", "a list of texts"),
    ("openaiBaseUrl", "api.example.com", "http(s) URL"),
    ("openaiBaseUrl", "https://api.example.com/v1?key=x", "without query"),
    ("previewOriginTeam", "My Team", "team slug"),
    ("previewOriginTeam", ".*", "team slug"),
    ("previewOriginTeam", "a" * 52, "at most 51"),
    ("siteDomain", "https://www.example.com", "without scheme"),
    ("siteDomain", "www.example.com/", "trailing slash"),
    ("siteDomain", "www.example.com:8443", "port"),
    ("siteDomain", "example", "a lower-case host"),
    ("siteDomain", "*.example.com", "a lower-case host"),
    ("siteDomain", "Www.example.com", "a lower-case host"),
    ("siteDomain", "-a.example.com", "a lower-case host"),
    ("siteDomain", "localhost:3000", "a lower-case host"),
    ("siteDomain", f"{'a' * 64}.example.com", "63 between dots"),
    ("siteDomain", ".".join(["abcdefg"] * 32), "at most 253"),
]


@pytest.mark.parametrize(
    ("key", "value", "allowed"), WRONG, ids=[f"{key}={value[:40]}" for key, value, _ in WRONG]
)
def test_a_wrong_value_is_refused_with_its_key_the_value_and_what_is_allowed(
    key: str, value: str, allowed: str
):
    message = refusal(stack="dev", config={key: value})
    assert key in message, "the key"
    assert allowed in message, "what is allowed"
    stated = value.strip('[]"').split('"')[0]
    assert stated in message or f"{float(stated):g}" in message, "the value"


def test_a_cloud_stack_without_a_site_domain_is_refused_with_how_to_choose_one():
    message = refusal(config={"siteDomain": ""})
    assert message.startswith("siteDomain is ''")
    assert "vercel.app" in message
    assert "pulumi config set siteDomain" in message


@pytest.mark.parametrize("stack", ["preview", "pr-1", "pr-1234"])
def test_a_pull_requests_stack_is_refused_without_its_name_in_the_site_domain(stack: str):
    message = refusal(stack=stack, config={"siteDomain": "acme-insights.vercel.app"})
    assert message.startswith("siteDomain is 'acme-insights.vercel.app'")
    assert "{stack}" in message
    assert load(stack=stack, config={"siteDomain": "acme-{stack}-insights.vercel.app"})


def test_a_site_domain_that_is_too_long_with_the_stacks_name_is_refused():
    assert "63 between dots" in refusal(
        stack="s" * 70, config={"siteDomain": "acme-{stack}.vercel.app"}
    )
    assert "'{stak}" in refusal(config={"siteDomain": "{stak}.example.com"})


def test_a_stack_name_that_pulumi_does_not_accept_is_refused():
    with pytest.raises(UserError, match="1 to 100"):
        rules.stack_name("a/b")


def test_a_connection_without_tls_is_allowed_locally_only():
    assert "require, verify-full are allowed" in refusal(config={"sslMode": "prefer"})
    assert load(local=True, config={"sslMode": "prefer"}).ssl_mode == "prefer"
    assert "require, verify-full, prefer are allowed" in refusal(
        local=True, config={"sslMode": "disable"}
    )


@pytest.mark.parametrize(
    ("stack", "protect", "where"),
    [
        ("prod", "true", "while protect is true"),
        ("prod", "false", "on stack prod"),
        ("live", "true", "while protect is true"),
        ("pr-1", "true", "while protect is true"),
    ],
)
@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("databaseBranchOf", "production has a project of its own"),
        ("previewOriginTeam", "production admits exact origins only"),
    ],
)
def test_what_production_must_not_have_is_refused_wherever_data_is_protected(
    stack: str, protect: str, where: str, key: str, reason: str
):
    config = {key: "quiet-forest-1", "protect": protect, "siteDomain": "a-{stack}.example.com"}
    assert f"{key} is 'quiet-forest-1': {reason}; leave it empty {where}" in refusal(
        stack=stack, config=config
    )
    assert load(stack="live", config={**config, "protect": "false"})


def test_extra_origins_are_refused_one_by_one():
    assert "'null'" in refusal(config={"extraOrigins": '["https://ok.example.com", "null"]'})


def test_a_region_that_neon_lacks_is_refused_with_those_that_it_has():
    message = refusal(config={"aws:region": "eu-west-1"})
    assert "neonRegion" in message
    assert "Neon is not in aws:region eu-west-1" in message
    assert all(f"aws-{name}" in message for name in rules.NEON_REGIONS)


@pytest.mark.parametrize("value", ["Frankfurt", "us-east", "us-east-1a"])
def test_a_region_that_aws_cannot_have_is_refused(value: str):
    assert refusal(config={"aws:region": value}).startswith(f"aws:region is '{value}'")


@pytest.mark.parametrize(
    "value",
    [
        "https://www.example.com",
        "https://www.example.com:8443",
        "http://localhost:3000",
        "http://localhost",
    ],
)
def test_an_exact_origin_is_accepted_unchanged(value: str):
    assert rules.origin("extraOrigins", value, STACK) == value


@PATIENT
@given(st.text(max_size=40))
def test_nothing_but_a_host_is_accepted_as_a_host(value: str):
    try:
        accepted = rules.host("siteDomain", value)
    except UserError as error:
        assert "siteDomain" in str(error)
    else:
        assert re.fullmatch(r"[a-z0-9.-]+", accepted)


@pytest.mark.parametrize("min_cu", rules.COMPUTE_UNITS)
def test_autoscaling_ranges_over_at_most_eight_compute_units(min_cu: float):
    accepted = [max_cu for max_cu in rules.COMPUTE_UNITS if _is_accepted(min_cu, max_cu)]
    assert accepted == [
        max_cu
        for max_cu in rules.COMPUTE_UNITS
        if max_cu == min_cu or (0 <= max_cu - min_cu <= 8 and max_cu <= 16)
    ]


def test_a_compute_that_is_never_suspended_is_refused_where_the_provider_would_suspend_it():
    message = refusal(config={"neonSuspendSeconds": "-1"})
    assert "the provider for Neon drops -1 from the settings of a project" in message
    config = {"neonSuspendSeconds": "-1", "databaseBranchOf": "quiet-forest-1"}
    assert load(stack="dev", config=config).compute.suspend_seconds == -1


def _is_accepted(min_cu: float, max_cu: float) -> bool:
    try:
        rules.check_autoscaling(min_cu, max_cu)
    except UserError:
        return False
    return True
