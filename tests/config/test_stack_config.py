"""Loading the configuration: keys, secrets, the local cloud, and values that follow from others."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Literal, get_origin

import pytest
import yaml

from config.reader import SECRET, keys_of
from config.rules import Between
from config.stack_config import SECRET_KEYS, StackConfig
from tests.config.test_rules import BOUNDS, WRONG
from tests.support.configuration import PROJECT, ROOT, load, refusal

DOCUMENT = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
DECLARED = {key: declaration for key, declaration in DOCUMENT["config"].items() if ":" not in key}
SECRETS = {"openaiApiKey": "sk-secret", "apiKeys": f"app:write:{'0' * 64}"}
KEYS = {key.name: key for key in keys_of(StackConfig).values()}


# Keys


def test_the_keys_of_the_model_are_those_that_pulumi_yaml_declares_and_the_secrets():
    assert {name for name, key in KEYS.items() if key.type == SECRET} == set(SECRET_KEYS)
    assert KEYS.keys() - set(SECRET_KEYS) == DECLARED.keys(), (
        "a secret is not declared, because the CLI would then require a value"
    )


def test_every_key_with_a_rule_or_a_type_to_convert_has_a_wrong_value_that_a_test_refuses():
    bounded = {name for name, key in KEYS.items() if isinstance(next(iter(key.rules), 0), Between)}
    assert bounded == BOUNDS.keys()
    checked = {name for name, key in KEYS.items() if key.rules or get_origin(key.type) is Literal}
    assert checked <= BOUNDS.keys() | {key for key, _, _ in WRONG}


@pytest.mark.parametrize("key", sorted(DECLARED))
def test_a_declared_key_is_flat_typed_described_and_has_a_default_of_its_type(key: str):
    declaration = DECLARED[key]
    assert re.fullmatch(r"[a-z]+([A-Z][a-z]*)*", key), "flat camelCase"
    types = {"string": str, "integer": int, "boolean": bool, "array": list}
    assert declaration["type"] in types, "the CLI refuses a project file with another type"
    assert type(declaration["default"]) is types[declaration["type"]], "and another default"
    assert len(declaration["description"]) > 20
    if limits := re.search(r"[0-9]+\.\.[0-9]+", declaration["description"]):
        assert limits[0] == "{}..{}".format(*BOUNDS[key])


@pytest.mark.parametrize("file", sorted(ROOT.glob("Pulumi.*.yaml")), ids=lambda file: file.name)
def test_a_stacks_file_has_known_keys_of_this_project_and_no_secret(file: Path):
    for full_name in yaml.safe_load(file.read_text())["config"]:
        namespace, _, key = full_name.partition(":")
        assert namespace == "aws" or (namespace == PROJECT and key in DECLARED), full_name


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("memmory", "memory"),
        ("site_domain", "siteDomain"),
        ("neon_region", "neonRegion"),
        ("apikeys", "apiKeys"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(written: str, meant: str):
    message = refusal(config={written: "x"})
    assert f"'{written}'" in message
    assert f'did you mean "{meant}"?' in message
    assert f"pulumi config rm {written}" in message


def test_an_unknown_key_that_resembles_no_other_is_refused_with_all_known_keys():
    message = refusal(config={"zzz": "x"})
    assert all(key in message for key in KEYS)
    assert "timeout, upkeep. Remove it" in message


def test_keys_of_other_projects_and_of_providers_are_ignored():
    assert load(config={"vercel:team": "acme", "other:memory": "1"})


@pytest.mark.parametrize("key", SECRET_KEYS)
def test_a_secret_in_plain_text_is_refused_without_its_value(key: str):
    message = refusal(config={key: "sk-plain-text"})
    assert f"pulumi config set --secret {key}" in message
    assert "sk-plain-text" not in message
    assert load(secrets={key: SECRETS[key]})


@pytest.mark.parametrize("key", SECRET_KEYS)
@pytest.mark.parametrize("value", ["", " "])
def test_an_empty_secret_is_refused_because_nothing_would_be_in_force(key: str, value: str):
    assert f"{key} is empty" in refusal(secrets={key: value})


# Stacks


def test_the_stack_named_local_is_refused_outside_the_local_cloud():
    message = refusal(stack="local", config={"siteDomain": "localhost:3000"})
    assert "stack up" in message
    assert load(stack="local", config={"siteDomain": "localhost:3000"}, local=True)


def test_any_stack_is_local_in_the_local_cloud():
    config = load(stack="pr-1", local=True, config={"siteDomain": "localhost:3000"})
    assert config.site_origin == "http://localhost:3000"
    assert config.target.python == f"{sys.version_info.major}.{sys.version_info.minor}"
    assert load(stack="dev").site_origin == "https://insights.example.com"


def test_stack_in_the_site_domain_is_replaced_by_a_label_of_each_stack():
    config = {"siteDomain": "acme-{stack}-insights.vercel.app"}
    assert load(stack="pr-7", config=config).site_domain == "acme-pr-7-insights.vercel.app"
    hosts = {
        load(stack=stack, config=config).site_domain for stack in ("Pr.7", "pr-7", "pr.7", "pr_7")
    }
    assert len(hosts) == 4, "two stacks must not claim one host"


# Values that follow from others


def test_without_a_region_of_aws_the_default_one_is_used():
    assert load(config={"aws:region": ""}).aws_region == "us-east-1"


@pytest.mark.parametrize(
    ("config", "region"),
    [
        ({}, "aws-us-east-1"),
        ({"aws:region": "eu-central-1"}, "aws-eu-central-1"),
        ({"aws:region": "eu-central-1", "neonRegion": "aws-eu-west-2"}, "aws-eu-west-2"),
        ({"aws:region": "eu-west-1", "neonRegion": "aws-eu-west-2"}, "aws-eu-west-2"),
    ],
)
def test_the_neon_region_follows_the_region_of_aws_unless_it_is_set(
    config: dict[str, str], region: str
):
    assert load(config=config).neon_region == region


def test_a_pattern_of_preview_hosts_is_refused_in_production_and_matches_this_project_only():
    team = {"previewOriginTeam": "acme"}
    assert "production admits exact origins only" in refusal(config=team)
    assert load(stack="dev").preview_origin_pattern == "", "off by default"
    pattern = load(stack="dev", config=team).preview_origin_pattern
    assert re.fullmatch(pattern, "https://ai-success-insights-dev-abc123def-acme.vercel.app")
    assert re.fullmatch(pattern, "https://ai-success-insights-dev-git-main-acme.vercel.app")
    assert re.fullmatch(pattern, "https://ai-success-insights-dev-git-a-b-acme.vercel.app")
    for other in (
        "https://ai-success-insights-dev-blue-abc123def-acme.vercel.app",
        "https://ai-success-insights-dev-blue-acme.vercel.app",
        "https://ai-success-insights-dev-acme.vercel.app",
        "https://ai-success-insights-dev-abc-acme.vercel.app.evil.example",
        "https://ai-success-insights-dev-abc-other.vercel.app",
        "https://ai-success-insights-prod-abc-acme.vercel.app",
        "http://ai-success-insights-dev-abc-acme.vercel.app",
        "https://evil.example/?https://ai-success-insights-dev-abc-acme.vercel.app",
        "https://ai-success-insights-dev-x.evil-acme-vercel.app",
    ):
        assert not re.search(pattern, other), other


# Imports


def test_reading_the_configuration_imports_no_provider_sdk_and_nor_do_these_tests():
    tests = sorted(path.stem for path in Path(__file__).parent.glob("test_*.py"))
    source = (
        "import importlib, sys\n"
        f"for name in {tests!r}: importlib.import_module('tests.config.' + name)\n"
        "from tests.support.configuration import load\n"
        "load()\n"
        "print([name for name in sys.modules if name in "
        "('components', 'pulumi_aws', 'pulumi_neon', 'pulumiverse_vercel')])\n"
    )
    command = [sys.executable, "-c", source]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
