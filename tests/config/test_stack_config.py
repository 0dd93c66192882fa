"""The configuration: what is refused, before anything is registered, and where each key goes."""

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import UserError
from config import rules
from config.function_environment import ENVIRONMENT_LIMIT, check_environment, environment_size
from config.stack_config import SECRET_KEYS, ConfigError, StackConfig
from stack.local.deploy import stack_config
from stack.local.resources import values
from tests.support.program import MADE_UP, PROJECT, ROOT, Recording, evaluate, make_project

PATIENT = settings(deadline=None, database=None)
DOCUMENT = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
DECLARED = {key: declaration for key, declaration in DOCUMENT["config"].items() if ":" not in key}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("program"))


def refusal(project: Path, **arguments: Any) -> str:
    """What the program says when it is evaluated; asserts that it registered nothing."""
    recording = Recording(preview=arguments.get("preview", False), made_up=MADE_UP)
    with pytest.raises(ConfigError) as refused:
        evaluate(project, into=recording, **arguments)
    assert recording.resources == {}, "refused, but only after something was registered"
    assert recording.builds == [], "refused, but only after the bundle was built"
    return str(refused.value)


BOUNDS = {
    "memory": (128, 10240),
    "timeout": (1, 29),
    "reservedConcurrency": (0, 1000),
    "throttleRate": (1, 10000),
    "throttleBurst": (1, 5000),
    "neonHistorySeconds": (0, 2592000),
    "neonSuspendSeconds": (0, 604800),
    "postgresVersion": (14, 18),
}


@pytest.mark.parametrize("key", BOUNDS)
def test_a_figure_beyond_its_bounds_is_refused_with_both_of_them(project: Path, key: str):
    low, high = BOUNDS[key]
    for value in (low - 1, high + 1):
        message = refusal(project, config={key: str(value)})
        assert re.match(rf"{key} is {value}: {low} to {high}\b", message), (
            "key, value and what is allowed"
        )
        assert f"pulumi config set {key} " in message


@pytest.mark.parametrize("end", [0, 1])
def test_a_figure_at_its_bounds_is_taken(project: Path, end: int):
    assert evaluate(
        project, preview=True, config={key: str(bounds[end]) for key, bounds in BOUNDS.items()}
    ).resources


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
    ("neonRegion", "us-east-1", "aws-us-east-1"),
    ("neonRegion", "aws-eu-west-1", "aws-eu-west-2"),
    ("neonRegion", "aws-aws-us-east-1", "aws-us-east-1"),
    ("neonOrgId", "Quiet Forest", "an organization's id"),
    ("databaseBranchOf", "Quiet Forest", "a project's id at Neon"),
    ("databaseBranchOf", "quiet/forest", "a project's id at Neon"),
    ("neonBranchProtected", "yes", "true or false"),
    ("neonMinCu", "0.3", "0.25, 0.5, 1"),
    ("neonMaxCu", "17", "0.25, 0.5, 1"),
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
    ("extraOrigins", "[1]", "a list of texts"),
    ("allowedAccountIds", '["12345"]', "twelve digits"),
    ("allowedAccountIds", "123456789012", "a list of texts"),
    ("openaiBaseUrl", "api.example.com", "http(s) URL"),
    ("openaiBaseUrl", "https://api.example.com/v1?key=x", "without query"),
    ("previewOriginTeam", "My Team", "team slug"),
    ("previewOriginTeam", ".*", "team slug"),
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
def test_a_wrong_value_is_refused_before_anything_is_registered_with_key_value_and_what_is_allowed(
    project: Path, key: str, value: str, allowed: str
):
    message = refusal(project, stack="dev", config={key: value})
    assert key in message, "the key"
    assert allowed in message, "what is allowed"
    stated = value.strip('[]"').split('"')[0]
    assert stated in message or f"{float(stated):g}" in message, "the value"


def test_every_declared_key_that_has_a_wrong_value_is_refused_somewhere():
    anything_goes = {"openaiModel", "apiKeysProtectReads"}
    assert {key for key, _, _ in WRONG} | BOUNDS.keys() | anything_goes == DECLARED.keys()


def test_a_preview_refuses_what_an_update_refuses(project: Path):
    assert refusal(project, preview=True, config={"memory": "100"}) == refusal(
        project, config={"memory": "100"}
    )


def test_a_cloud_stack_without_a_site_domain_is_told_how_to_choose_one(project: Path):
    message = refusal(project, config={"siteDomain": ""})
    assert message.startswith("siteDomain is ''")
    assert "vercel.app" in message
    assert "pulumi config set siteDomain" in message


def test_the_stack_named_local_is_refused_where_nothing_says_that_the_cloud_is_this_machine(
    project: Path,
):
    message = refusal(project, stack="local", config={"siteDomain": "localhost:3000"})
    assert "stack up" in message
    assert evaluate(
        project, stack="local", config={"siteDomain": "localhost:3000"}, local=True, preview=True
    ).resources


def test_any_stack_is_local_where_the_cloud_is_this_machine(project: Path):
    recording = evaluate(
        project,
        stack="pr-1",
        local=True,
        config={"siteDomain": "localhost:3000", "sslMode": "prefer"},
    )
    assert recording.outputs["frontend_url"] == "http://localhost:3000"
    assert "sslmode=prefer" in values.reveal(recording.outputs["database_url"])


def test_tls_to_the_database_is_an_option_on_one_machine_only(project: Path):
    assert "require, verify-full are allowed" in refusal(project, config={"sslMode": "prefer"})


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("memmory", "memory"),
        ("site_domain", "siteDomain"),
        ("neon_region", "neonRegion"),
        ("apikeys", "apiKeys"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(
    project: Path, written: str, meant: str
):
    message = refusal(project, config={written: "x"})
    assert f"'{written}'" in message
    assert f'did you mean "{meant}"?' in message
    assert f"pulumi config rm {written}" in message


def test_an_unknown_key_like_no_other_is_refused_with_all_that_are_known(project: Path):
    message = refusal(project, config={"zzz": "x"})
    assert all(key in message for key in (*DECLARED, *SECRET_KEYS))
    assert "throttleRate, timeout. Remove it" in message


def test_a_key_of_another_project_or_provider_is_none_of_this_programs_business(project: Path):
    assert evaluate(
        project, preview=True, config={"vercel:team": "acme", "other:memory": "1"}
    ).resources


@pytest.mark.parametrize("key", SECRET_KEYS)
def test_a_secret_in_the_clear_is_refused_without_being_repeated(project: Path, key: str):
    message = refusal(project, config={key: "sk-in-the-clear"})
    assert f"pulumi config set --secret {key}" in message
    assert "sk-in-the-clear" not in message
    assert evaluate(project, secrets={key: "sk-kept"}, preview=True).resources


def test_a_pattern_of_preview_hosts_is_refused_in_production_and_taken_elsewhere(project: Path):
    assert "production admits exact origins only" in refusal(
        project, config={"previewOriginTeam": "acme"}
    )
    pattern = environment_of(evaluate(project, stack="dev", config={"previewOriginTeam": "acme"}))[
        "CORS_ORIGIN_REGEX"
    ]
    assert re.fullmatch(pattern, "https://ai-success-insights-dev-abc123def-acme.vercel.app")
    assert re.fullmatch(pattern, "https://ai-success-insights-dev-git-main-acme.vercel.app")
    for stranger in (
        "https://ai-success-insights-dev-abc-acme.vercel.app.evil.example",
        "https://ai-success-insights-dev-abc-other.vercel.app",
        "https://ai-success-insights-prod-abc-acme.vercel.app",
        "http://ai-success-insights-dev-abc-acme.vercel.app",
        "https://evil.example/?https://ai-success-insights-dev-abc-acme.vercel.app",
        "https://ai-success-insights-dev-x.evil-acme-vercel.app",
    ):
        assert not re.search(pattern, stranger), stranger
    assert "CORS_ORIGIN_REGEX" not in environment_of(evaluate(project, stack="dev")), (
        "off by default"
    )


def test_extra_origins_are_refused_one_by_one(project: Path):
    assert "'null'" in refusal(
        project, config={"extraOrigins": '["https://ok.example.com", "null"]'}
    )


def environment_of(recording: Recording) -> dict[str, str]:
    return recording["service-api-function"].plain["environment"]["variables"]


def test_an_environment_that_cannot_fit_in_4_kb_is_refused_with_the_size_and_the_largest_keys(
    project: Path,
):
    message = refusal(project, secrets={"apiKeys": "k" * 3700})
    assert re.search(r"is (\d+) bytes and Lambda allows 4096", message)
    assert "API_KEYS (3700 bytes)" in message
    assert "apiKeys" in message
    assert "kkkk" not in message, "a secret's value is never shown"
    many = json.dumps([f"https://origin-{at:03}.example.com" for at in range(150)])
    assert "extraOrigins" in refusal(project, config={"extraOrigins": many})


def test_the_environment_may_use_the_4_kb_up_to_what_the_unknown_urls_can_take(project: Path):
    def evaluated(length: int) -> Recording:
        return evaluate(project, secrets={"apiKeys": "k" * length})

    size = environment_size({**environment_of(evaluated(1)), "DATABASE_URL": "u" * 320})
    room = ENVIRONMENT_LIMIT - size
    sent = environment_of(evaluated(1 + room))
    assert environment_size({**sent, "DATABASE_URL": "u" * 320}) == ENVIRONMENT_LIMIT
    assert "is 4097 bytes" in refusal(project, secrets={"apiKeys": "k" * (2 + room)})


def test_an_environment_that_turns_out_too_large_once_the_database_has_answered_is_refused_before_lambda_is_asked(
    project: Path,
):
    neon = "neon:index/project:Project"
    made_up = {**MADE_UP, neon: {**MADE_UP[neon], "databaseHostPooler": "h" * 4000}}
    recording = Recording(preview=False, made_up=made_up)
    with pytest.raises(
        UserError, match=r"bytes and Lambda allows 4096: shorten DATABASE_URL \(\d+ bytes\)"
    ):
        evaluate(project, into=recording)
    assert "service-api-function" not in recording.resources


@PATIENT
@given(st.dictionaries(st.text(max_size=20), st.text(max_size=200), max_size=8))
def test_the_size_of_an_environment_is_that_of_its_json(variables: dict[str, str]):
    assert environment_size(variables) == len(json.dumps(variables, separators=(",", ":")).encode())


def test_an_environment_of_exactly_the_limit_passes_and_one_byte_more_does_not():
    overhead = environment_size({"A": ""})
    check_environment({"A": "x" * (ENVIRONMENT_LIMIT - overhead)})
    with pytest.raises(UserError, match="is 4097 bytes"):
        check_environment({"A": "x" * (ENVIRONMENT_LIMIT - overhead + 1)})


ELSEWHERE = {
    # a value other than the default, and the name of what shows it
    "siteDomain": ("other.example.com", "site-domain"),
    "extraOrigins": ('["https://www.example.com"]', "service-api-function"),
    "previewOriginTeam": ("acme", "service-api-function"),
    "memory": ("1024", "service-api-function"),
    "timeout": ("20", "service-api-function"),
    "architecture": ("x86_64", "service-api-function"),
    "python": ("3.14", "service-api-function"),
    "reservedConcurrency": ("5", "service-api-function"),
    "throttleRate": ("7", "service-stage"),
    "throttleBurst": ("8", "service-stage"),
    "logRetentionDays": ("90", "gateway-access-log"),
    "neonRegion": ("aws-eu-central-1", "database-project"),
    "neonOrgId": ("org-quiet-forest-12345678", "database-project"),
    "neonHistorySeconds": ("3600", "database-project"),
    "neonMinCu": ("0.5", "database-project"),
    "neonMaxCu": ("2", "database-project"),
    "neonSuspendSeconds": ("600", "database-project"),
    "postgresVersion": ("18", "database-project"),
    "neonBranchProtected": ("true", "database-project"),
    "sslMode": ("verify-full", "service-api-function"),
    "allowedAccountIds": ('["123456789012"]', "aws"),
    "openaiModel": ("gpt-other", "service-api-function"),
    "openaiBaseUrl": ("https://api.example.com/v1", "service-api-function"),
    "apiKeysProtectReads": ("true", "service-api-function"),
}
NOT_AN_INPUT = {"bytecode", "protect"}
ANOTHER_SOURCE = {"databaseBranchOf"}  # see test_database_branch.py


def test_every_declared_key_has_a_row_that_says_where_it_goes():
    assert ELSEWHERE.keys() | NOT_AN_INPUT | ANOTHER_SOURCE == DECLARED.keys()


@pytest.fixture(scope="module")
def development(project: Path) -> Recording:
    return evaluate(project, stack="dev", config={"neonMaxCu": "1"})


@pytest.mark.parametrize("key", ELSEWHERE)
def test_a_declared_key_reaches_the_resource_that_it_is_for_and_few_others(
    project: Path, development: Recording, key: str
):
    value, name = ELSEWHERE[key]
    changed = evaluate(project, stack="dev", config={"neonMaxCu": "1", key: value})
    different = {
        other for other in changed.resources if changed[other].plain != development[other].plain
    }
    assert name in different
    assert len(different) <= 3, "a key that changes everything is not one key"


def test_bytecode_and_target_reach_the_build(project: Path):
    target, bytecode = evaluate(project).builds[0]
    assert (target.architecture, target.python, bytecode) == ("arm64", "3.13", True)
    target, bytecode = evaluate(
        project, config={"bytecode": "false", "architecture": "x86_64", "python": "3.14"}
    ).builds[0]
    assert (target.architecture, target.python, bytecode) == ("x86_64", "3.14", False)


def test_the_declared_keys_the_rules_and_the_fields_of_the_configuration_agree():
    assert DECLARED.keys() == rules.DECLARED
    assert not DECLARED.keys() & set(SECRET_KEYS), (
        "the CLI would ask for a value of a declared secret"
    )
    settled = {"project", "stack", "local", "aws_region"}
    grouped = {"memory": "sizing", "timeout": "sizing", "reserved_concurrency": "sizing"}
    grouped |= {"throttle_rate": "throttle", "throttle_burst": "throttle"}
    grouped |= {
        "neon_min_cu": "compute",
        "neon_max_cu": "compute",
        "neon_suspend_seconds": "compute",
    }
    keys = {re.sub("([A-Z])", r"_\1", key).lower() for key in (*DECLARED, *SECRET_KEYS)}
    assert {grouped.get(key, key) for key in keys} == {
        item.name for item in fields(StackConfig)
    } - settled


@pytest.mark.parametrize("key", sorted(DECLARED))
def test_a_declared_key_is_flat_typed_described_and_has_a_default_of_its_type(key: str):
    declaration = DECLARED[key]
    assert re.fullmatch(r"[a-z]+([A-Z][a-z]*)*", key), "flat camelCase"
    kinds = {"string": str, "integer": int, "boolean": bool, "array": list, "number": float}
    assert type(declaration["default"]) is kinds[declaration["type"]]
    assert len(declaration["description"]) > 20
    if key in BOUNDS and key in ("memory", "timeout", "neonHistorySeconds", "postgresVersion"):
        assert "{}..{}".format(*BOUNDS[key]) in declaration["description"]


@pytest.mark.parametrize("file", sorted(ROOT.glob("Pulumi.*.yaml")), ids=lambda file: file.name)
def test_a_stacks_file_holds_known_keys_of_this_project_and_no_secret(file: Path):
    for full in yaml.safe_load(file.read_text())["config"]:
        namespace, _, key = full.partition(":")
        assert namespace == "aws" or (namespace == PROJECT and key in DECLARED), full


def test_the_neon_region_follows_the_region_of_aws_unless_it_is_set(project: Path):
    def region(**config: str) -> str:
        return evaluate(
            project, config={key.replace("_", ":"): value for key, value in config.items()}
        )["database-project"].plain["regionId"]

    assert region() == "aws-us-east-1"
    assert region(aws_region="eu-central-1") == "aws-eu-central-1"
    assert region(aws_region="eu-central-1", neonRegion="aws-eu-west-2") == "aws-eu-west-2"
    assert region(aws_region="eu-west-1", neonRegion="aws-eu-west-2") == "aws-eu-west-2"


def test_a_region_that_neon_lacks_is_refused_with_those_that_it_has(project: Path):
    message = refusal(project, config={"aws:region": "eu-west-1"})
    assert "neonRegion" in message
    assert "Neon is not in aws:region eu-west-1" in message
    assert all(f"aws-{name}" in message for name in rules.NEON_REGIONS)


@pytest.mark.parametrize("value", ["Frankfurt", "us-east", "us-east-1a", ""])
def test_a_region_that_aws_cannot_have_is_refused(project: Path, value: str):
    if value == "":
        assert evaluate(project, config={"aws:region": ""})["aws"].plain["region"] == "us-east-1"
    else:
        assert refusal(project, config={"aws:region": value}).startswith(f"aws:region is '{value}'")


def test_the_stacks_name_stands_where_the_site_domain_has_a_place_for_it(project: Path):
    config = {"siteDomain": "acme-{stack}-insights.vercel.app"}
    assert (
        evaluate(project, stack="pr-7", config=config).outputs["frontend_url"]
        == "https://acme-pr-7-insights.vercel.app"
    )
    hosts = {
        evaluate(project, stack=stack, config=config)["site-domain"].plain["domain"]
        for stack in ("Pr.7", "pr-7", "pr.7", "pr_7")
    }
    assert len(hosts) == 4, "two stacks must not claim one host"


@pytest.mark.parametrize("stack", ["preview", "pr-1", "pr-1234"])
def test_a_pull_requests_stack_is_refused_without_a_place_for_its_name_in_the_site_domain(
    project: Path, stack: str
):
    message = refusal(project, stack=stack, config={"siteDomain": "acme-insights.vercel.app"})
    assert message.startswith("siteDomain is 'acme-insights.vercel.app'")
    assert "{stack}" in message
    assert evaluate(
        project,
        stack=stack,
        config={"siteDomain": "acme-{stack}-insights.vercel.app"},
        preview=True,
    ).resources


def test_production_is_never_a_branch_of_another_database(project: Path):
    assert "production has a project of its own" in refusal(
        project, config={"databaseBranchOf": "quiet-forest-1"}
    )


def test_a_stack_name_too_long_for_the_host_is_refused_as_a_host_and_one_that_pulumi_lacks_as_a_name(
    project: Path,
):
    assert "63 between dots" in refusal(
        project, stack="s" * 70, config={"siteDomain": "acme-{stack}.vercel.app"}
    )
    with pytest.raises(UserError, match="1 to 100"):
        rules.stack_name("a/b")
    assert "'{stak}" in refusal(project, config={"siteDomain": "{stak}.example.com"})


@pytest.mark.parametrize(
    "value",
    [
        "https://www.example.com",
        "https://www.example.com:8443",
        "http://localhost:3000",
        "http://localhost",
    ],
)
def test_an_exact_origin_is_taken_as_it_is(value: str):
    assert rules.origin("extraOrigins", value) == value


@PATIENT
@given(st.text(max_size=40))
def test_nothing_but_a_host_passes_as_a_host(value: str):
    try:
        taken = rules.host("siteDomain", value)
    except UserError as error:
        assert "siteDomain" in str(error)
    else:
        assert re.fullmatch(r"[a-z0-9.-]+", taken)


@pytest.mark.parametrize("least", rules.COMPUTE_UNITS)
def test_compute_sizes_reach_up_to_eight_units_above_the_least(least: float):
    taken = [
        most for most in rules.COMPUTE_UNITS if not isinstance(attempt(least, most), UserError)
    ]
    assert taken == [most for most in rules.COMPUTE_UNITS if 0 <= most - least <= 8]


def attempt(least: float, most: float) -> object:
    try:
        return rules.compute_units(least, most)
    except UserError as error:
        return error


# the layers that the local cloud reads, as the CLI would


def layered(
    directory: Path,
    *,
    stack: str = "",
    own: str = "",
    config_overrides: dict[str, str] | None = None,
) -> stack_config.StackSettings:
    declared = {
        "aws:region": {"value": "us-east-1"},
        "memory": {"type": "integer", "default": 512},
        "empty": {"default": None},
    }
    (directory / "Pulumi.yaml").write_text(
        json.dumps({"name": "tiny", "config": {**declared, "list": {"default": ["a"]}}})
    )
    (directory / "Pulumi.dev.yaml").write_text(stack)
    (directory / ".local").mkdir(exist_ok=True)
    (directory / ".local" / "config.yaml").write_text(own)
    return stack_config.load(directory, "dev", config_overrides=config_overrides or {})


def test_without_a_stacks_file_the_defaults_of_the_project_hold_as_texts(tmp_path: Path):
    settings = layered(tmp_path)
    assert settings.config == {
        "aws:region": "us-east-1",
        "tiny:memory": "512",
        "tiny:list": '["a"]',
    }
    assert settings.region == "us-east-1"
    assert settings.project == "tiny"


def test_each_layer_wins_over_the_one_before_and_what_the_local_cloud_supplies_over_all(
    tmp_path: Path,
):
    stack = "config:\n  tiny:memory: 1024\n  tiny:protect: true\n  aws:region: eu-central-1\n"
    assert layered(tmp_path, stack=stack).config["tiny:memory"] == "1024"
    own = "memory: 2048\nopenaiApiKey: sk-mine\n"
    settings = layered(tmp_path, stack=stack, own=own)
    assert settings.config["tiny:memory"] == "2048"
    assert settings.config["tiny:protect"] == "true"
    assert settings.region == "eu-central-1"
    assert (
        layered(tmp_path, stack=stack, own=own, config_overrides={"memory": "4096"}).config[
            "tiny:memory"
        ]
        == "4096"
    )


def test_a_secret_key_is_a_secret_wherever_it_stands(tmp_path: Path):
    assert layered(tmp_path, own="openaiApiKey: sk-mine\n").secret_keys == (
        "tiny:openaiApiKey",
        "tiny:apiKeys",
    )


def test_keys_of_providers_and_other_projects_keep_their_namespace(tmp_path: Path):
    config = layered(tmp_path, stack="config:\n  vercel:team: acme\n  other:memory: 1\n").config
    assert (config["vercel:team"], config["other:memory"], config["tiny:memory"]) == (
        "acme",
        "1",
        "512",
    )


def test_an_encrypted_value_is_refused_with_the_place_for_one_in_the_clear(tmp_path: Path):
    with pytest.raises(
        UserError, match=r"Pulumi\.dev\.yaml: tiny:apiKeys is encrypted.*\.local/config\.yaml"
    ):
        layered(tmp_path, stack="config:\n  tiny:apiKeys:\n    secure: v1:abc\n")
    settings = layered(
        tmp_path, stack="config:\n  tiny:apiKeys:\n    secure: v1:abc\n", own="apiKeys: mine\n"
    )
    assert settings.config["tiny:apiKeys"] == "mine"


def test_for_a_report_something_stands_for_encrypted_values_and_the_personal_layer_is_left_out(
    tmp_path: Path,
):
    layered(tmp_path, own="memory: 2048\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("config:\n  tiny:apiKeys:\n    secure: v1:abc\n")
    config = stack_config.load(
        tmp_path, "dev", config_overrides={}, read_local_file=False, encrypted_as="sealed"
    ).config
    assert (config["tiny:apiKeys"], config["tiny:memory"]) == ("sealed", "512")


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ({"stack": "config: [unclosed"}, "Pulumi.dev.yaml is not YAML"),
        ({"stack": "- a list"}, "Pulumi.dev.yaml: a map of keys is expected"),
        ({"stack": "config: text"}, "Pulumi.dev.yaml: config is not a map"),
        ({"own": "text"}, "config.yaml: a map of keys is expected"),
    ],
)
def test_a_file_that_is_no_map_is_refused_by_name(
    tmp_path: Path, layer: dict[str, str], message: str
):
    with pytest.raises(UserError, match=re.escape(message)):
        layered(tmp_path, **layer)


def test_every_declared_key_has_a_type_that_pulumi_knows():
    types = {key: item["type"] for key, item in DECLARED.items()}
    assert set(types.values()) <= {"string", "integer", "boolean", "array", "object"}, (
        "the CLI refuses a project file with another one"
    )
    kinds = {"string": str, "integer": int, "boolean": bool, "array": list}
    assert all(type(DECLARED[key]["default"]) is kinds[kind] for key, kind in types.items()), (
        "and a default of another type"
    )
