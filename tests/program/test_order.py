"""The order of creation, and the migration, which is called before a version is published."""

import json
from itertools import pairwise
from pathlib import Path

import pytest

from stack.local.resources import values
from stack.local.resources.values import Secret
from tests.support.program import (
    COMPUTED_OUTPUTS,
    Recording,
    evaluate,
    make_project,
)

NEON = "neon:index/project:Project"


def depends_on(recording: Recording, later: str, earlier: str) -> bool:
    """Return whether `later` depends on `earlier`, itself, by its parents or by dependencies."""
    resource = recording[later]
    direct = set(resource.dependencies) | ({resource.parent} & recording.resources.keys())
    return earlier in direct or any(depends_on(recording, name, earlier) for name in direct)


ORDER = [
    "database-project",
    "service-migrate-function",
    "service-migration",
    "service-api-function",
    "service-verification",
    "service-live",
    "service-integration",
    "service-default-route",
    "service-stage",
    "release-deployment",
]


@pytest.mark.parametrize(("earlier", "later"), list(pairwise(ORDER)))
def test_the_order_is_database_migration_version_alias_integration_route_stage_release(
    prod: Recording, earlier: str, later: str
):
    assert depends_on(prod, later, earlier)
    assert not depends_on(prod, earlier, later)


def test_each_step_is_created_after_the_one_before(prod: Recording):
    assert [name for name in prod.created if name in ORDER] == ORDER


def test_gateway_and_site_wait_for_no_function(prod: Recording):
    for name in ("gateway-api", "site-project", "site-domain", "site-api-url"):
        assert not depends_on(prod, name, "service-api-function")
        assert not depends_on(prod, name, "database-project")


def test_the_release_waits_for_the_whole_service(prod: Recording):
    assert {*prod["release"].dependencies} >= {
        name for name in prod.resources if name.startswith("service-") and prod[name].custom
    }


def test_the_stage_waits_for_permission_and_route_and_the_function_for_its_policy(prod: Recording):
    assert {*prod["service-stage"].dependencies} >= {
        "service-permission",
        "service-default-route",
        "gateway-access-log",
    }
    assert "service-api-policy" in prod["service-api-function"].dependencies
    assert "service-migrate-policy" in prod["service-migrate-function"].dependencies


@pytest.mark.parametrize(
    ("fails", "never"),
    [
        ("database-project", "service-migrate-function"),
        ("service-migrate-policy", "service-migrate-function"),
        ("service-migration", "service-api-function"),
        ("service-api-function", "service-verification"),
        ("service-verification", "service-live"),
        ("service-permission", "service-stage"),
        ("service-stage", "release-deployment"),
        ("service-migration", "service-upkeep-function"),
        ("service-verification", "service-nightly-schedule"),
        ("service-upkeep-function", "service-nightly-schedule"),
    ],
)
def test_a_step_that_fails_stops_those_after_it(project: Path, fails: str, never: str):
    recording = Recording(preview=False, computed_outputs=COMPUTED_OUTPUTS, fails={fails})
    with pytest.raises(RuntimeError, match=f"{fails} failed"):
        evaluate(project, into=recording)
    assert fails in recording.resources
    assert never not in recording.resources
    assert "release-deployment" not in recording.resources


def test_the_migration_is_called_on_the_unqualified_function_with_nothing_secret_in_its_input(
    prod: Recording,
):
    call = prod["service-migration"]
    assert call.inputs["functionName"] == "ai-success-insights-prod-migrate"
    assert call.inputs["input"] == "{}"
    assert not {"qualifier", "lifecycleScope"} & call.inputs.keys(), (
        "no alias, and the lifecycle is the default, CREATE_ONLY"
    )
    assert not values.holds(dict(call.inputs), Secret)
    assert "service-migrate-function" in call.dependencies


def test_each_version_is_verified_before_the_alias_names_it(project: Path):
    def evaluated(version: str) -> Recording:
        function = {**COMPUTED_OUTPUTS["aws:lambda/function:Function"], "version": version}
        changed = {**COMPUTED_OUTPUTS, "aws:lambda/function:Function": function}
        return evaluate(project, computed_outputs=changed)

    for version in ("7", "8"):
        recording = evaluated(version)
        call = recording["service-verification"].plain
        assert call["qualifier"] == recording["service-live"].plain["functionVersion"] == version
        assert json.loads(call["input"]) == {"source": "health"}
        assert "lifecycleScope" not in call, "a destroy invokes nothing"


def test_the_migration_is_called_again_only_for_new_migrations_or_a_new_database(
    project: Path, tmp_path: Path
):
    def triggers(root: Path, **computed_outputs: str) -> dict[str, str]:
        changed = {**COMPUTED_OUTPUTS, NEON: {**COMPUTED_OUTPUTS[NEON], **computed_outputs}}
        return evaluate(root, computed_outputs=changed)["service-migration"].plain["triggers"]

    before = triggers(project)
    assert before.keys() == {"migrations", "project", "branch", "database"}
    assert before == triggers(
        project, databasePassword="another", databaseHost="another.example.com"
    )
    assert {**before, "branch": "br-2"} == triggers(project, defaultBranchId="br-2")
    assert {**before, "database": "other"} == triggers(project, databaseName="other")

    other = make_project(tmp_path)
    (other / "frontend/package.json").write_text('{"changed": true}\n')
    assert triggers(other) == before
    (other / "service/migrations/versions/0002.py").write_text("revision = '0002'\n")
    assert triggers(other)["migrations"] != before["migrations"]


def test_the_migration_function_has_the_longest_timeout_its_own_role_and_group_and_no_version(
    prod: Recording,
):
    migrate, api = prod["service-migrate-function"].plain, prod["service-api-function"].plain
    assert (migrate["handler"], migrate["timeout"], migrate["publish"]) == (
        "service.migrate.handler",
        900,
        False,
    )
    assert (api["handler"], api["timeout"], api["publish"]) == ("service.handler.handler", 29, True)
    assert migrate["role"] != api["role"]
    assert migrate["loggingConfig"]["logGroup"] != api["loggingConfig"]["logGroup"]
    assert migrate["code"] == api["code"]
    assert migrate["layers"] == api["layers"]
