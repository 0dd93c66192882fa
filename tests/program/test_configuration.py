"""The effect of each configuration key on the program."""

from pathlib import Path

import pytest

from common.errors import UserError
from config.function_environment import ENVIRONMENT_LIMIT, UNKNOWN_URL_BYTES, environment_size
from config.reader import keys_of
from config.stack_config import SECRET_KEYS, ConfigError, StackConfig
from tests.support.program import COMPUTED_OUTPUTS, Recording, evaluate, variables

RESOURCE_OF_KEY = {
    # key: a value other than the default, and the name of a resource whose inputs depend on it
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
    "timeZone": ("Europe/Berlin", "service-api-function"),
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
NO_INPUT = {"bytecode", "protect"}  # test_bytecode_and_target…, tests/program/test_security.py
OTHER_RESOURCES = {
    *("databaseBranchOf",),  # tests/components/test_database_branch.py
    *("upkeep",),  # tests/program/test_upkeep.py
}


API_KEYS = f"app:write:{'0' * 64}"


def test_every_key_has_a_row_that_says_which_resource_depends_on_it():
    keys = {key.name for key in keys_of(StackConfig).values()}
    assert RESOURCE_OF_KEY.keys() | NO_INPUT | OTHER_RESOURCES == keys - set(SECRET_KEYS)


@pytest.fixture(scope="module")
def base(project: Path) -> Recording:
    return evaluate(project, stack="dev", config={"neonMaxCu": "1"}, secrets={"apiKeys": API_KEYS})


@pytest.mark.parametrize("key", RESOURCE_OF_KEY)
def test_a_key_changes_the_resource_that_it_is_for_and_few_others(
    project: Path, base: Recording, key: str
):
    value, name = RESOURCE_OF_KEY[key]
    config = {"neonMaxCu": "1", key: value}
    changed = evaluate(project, stack="dev", config=config, secrets={"apiKeys": API_KEYS})
    different = {other for other in changed.resources if changed[other].plain != base[other].plain}
    assert name in different
    assert len(different) <= 4, "a key that changes everything is not one key"


def test_bytecode_and_target_are_passed_to_the_build(project: Path):
    target, bytecode = evaluate(project).builds[0]
    assert (target.architecture, target.python, bytecode) == ("arm64", "3.13", True)
    target, bytecode = evaluate(
        project, config={"bytecode": "false", "architecture": "x86_64", "python": "3.14"}
    ).builds[0]
    assert (target.architecture, target.python, bytecode) == ("x86_64", "3.14", False)


@pytest.mark.parametrize("preview", [True, False], ids=["preview", "update"])
def test_a_wrong_value_is_refused_before_anything_is_registered_or_built(
    project: Path, preview: bool
):
    recording = Recording(preview=preview, computed_outputs=COMPUTED_OUTPUTS)
    with pytest.raises(ConfigError, match="memory is 100: 128 to 10240 MB"):
        evaluate(project, preview=preview, into=recording, config={"memory": "100"})
    assert recording.resources == {}
    assert recording.builds == []


def test_the_environment_is_checked_with_the_variables_that_the_program_sends(project: Path):
    def evaluated(length: int) -> Recording:
        return evaluate(project, secrets={"apiKeys": API_KEYS + " " * length})

    def size(recording: Recording) -> int:
        longest_url = {"DATABASE_URL": "u" * UNKNOWN_URL_BYTES}
        return environment_size({**variables(recording, "service-api-function"), **longest_url})

    free = ENVIRONMENT_LIMIT - size(evaluated(1))
    assert size(evaluated(1 + free)) == ENVIRONMENT_LIMIT
    with pytest.raises(ConfigError, match="is 4097 bytes"):
        evaluated(2 + free)


def test_an_environment_that_known_urls_make_too_large_is_refused_before_lambda_is_called(
    project: Path,
):
    neon = "neon:index/project:Project"
    database = {**COMPUTED_OUTPUTS[neon], "databaseHostPooler": "h" * 4000}
    recording = Recording(preview=False, computed_outputs={**COMPUTED_OUTPUTS, neon: database})
    with pytest.raises(
        UserError, match=r"bytes and Lambda allows 4096: shorten DATABASE_URL \(\d+ bytes\)"
    ):
        evaluate(project, into=recording)
    assert "service-api-function" not in recording.resources
