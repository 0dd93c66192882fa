"""The handlers of Neon projects and branches."""

from typing import Any

import pytest

from common.errors import UserError
from stack.local.neon.projects import default_branch
from stack.local.registry import HANDLERS
from tests.support.handler_bench import BRANCH, NEON_PROJECT, PORTS, HandlerBench


def test_a_project_is_a_database_with_an_owner_whose_password_stays(bench: HandlerBench):
    identity, outputs = bench.create(NEON_PROJECT)
    assert bench.postgres.databases == {"parent": "parent", "insights": "insights"}
    assert bench.postgres.roles == {"insights": outputs["databasePassword"]}
    assert outputs["databaseHost"] == f"localhost:{PORTS.postgres}"
    assert bench.create(NEON_PROJECT) == (identity, outputs)
    assert bench.update(NEON_PROJECT, identity, name="renamed") == outputs
    assert bench.read(NEON_PROJECT, identity, {}) == outputs


def test_a_dropped_database_is_replaced_by_another_project_so_that_it_is_migrated_again(
    bench: HandlerBench,
):
    identity, outputs = bench.create(NEON_PROJECT)
    bench.postgres.drop_database("insights")
    assert bench.read(NEON_PROJECT, identity, outputs) is None
    other, others = bench.create(NEON_PROJECT)
    assert other != identity
    assert others["defaultBranchId"] != outputs["defaultBranchId"]


def test_two_projects_cannot_have_the_same_database(bench: HandlerBench):
    bench.create(NEON_PROJECT, "first")
    with pytest.raises(UserError, match="'insights' belongs to 'first' already"):
        bench.create(NEON_PROJECT, "second")


def test_a_delete_of_a_project_drops_its_database_and_role(bench: HandlerBench):
    identity, _ = bench.create(NEON_PROJECT)
    bench.delete(NEON_PROJECT, identity)
    assert (bench.postgres.databases, bench.postgres.roles) == ({"parent": "parent"}, {})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"regionId": "aws-eu-west-1"}, "regionId is 'aws-eu-west-1', Neon offers aws-us-east-1"),
        ({"branch": {"name": "main"}}, "branch needs roleName and databaseName"),
        ({"branch": None}, "branch needs roleName and databaseName"),
        ({"historyRetentionSeconds": None}, "refused on the Free plan"),
        ({"quota": {"activeTimeSeconds": 1}}, "'quota' is not supported locally"),
        ({"kuota": {}}, "no input 'kuota'"),
        ({"branch": {"role_name": "x"}}, "branch.role_name is unknown"),
    ],
)
def test_a_project_that_neon_or_the_local_cloud_would_refuse_is_refused(
    bench: HandlerBench, changed: dict[str, Any], message: str
):
    assert message in bench.refusal(NEON_PROJECT, **changed)


def test_a_branch_is_a_copy_with_a_role_whose_password_only_its_own_lookup_returns(
    bench: HandlerBench,
):
    identity, _ = bench.create(BRANCH)
    assert bench.postgres.databases["insights-pr-1"] == "insights-pr-1"
    assert (
        bench.password(branchId=identity, projectId="parent", roleName="insights-pr-1")
        == bench.postgres.roles["insights-pr-1"]
    )
    assert bench.password(branchId=identity, projectId="parent", roleName="parent") == ""
    assert bench.password(branchId="br-other", projectId="parent", roleName="insights-pr-1") == ""


def test_a_delete_of_a_branch_drops_its_copy_and_role_and_leaves_the_parent(bench: HandlerBench):
    identity, _ = bench.create(BRANCH)
    bench.delete(BRANCH, identity)
    assert (bench.postgres.databases, bench.postgres.roles) == ({"parent": "parent"}, {})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"projectId": "other"}, "there is no Neon project 'other'"),
        ({"parentId": "br-elsewhere"}, "has no branch 'br-elsewhere' that can be copied"),
    ],
)
def test_a_branch_of_a_missing_parent_is_refused_and_nothing_is_created(
    bench: HandlerBench, changed: dict[str, Any], message: str
):
    with pytest.raises(UserError, match=message):
        bench.create(BRANCH, **changed)
    assert bench.postgres.databases == {"parent": "parent"}
    assert bench.store.find("neon-branches") == {}


def test_a_branch_is_looked_up_by_its_import_id_and_has_protected_only_when_it_is(
    bench: HandlerBench,
):
    context, identity = bench.context(), f"parent/{default_branch('parent')}"
    found = HANDLERS[BRANCH].look_up(context, identity)
    assert found is not None
    assert found[0] == default_branch("parent")
    assert "protected" not in found[1]
    bench.store.put(
        "neon-projects",
        "parent",
        {**(bench.store.get("neon-projects", "parent") or {}), "protected": True},
    )
    found = HANDLERS[BRANCH].look_up(context, identity)
    assert found is not None
    assert found[1]["protected"] == "yes"
    assert HANDLERS[BRANCH].look_up(context, "parent/br-other") is None
    assert HANDLERS[BRANCH].look_up(context, "other/br-other") is None


def test_the_protection_of_a_projects_branch_is_updated_in_place(bench: HandlerBench):
    identity, _ = bench.create(NEON_PROJECT)
    bench.update(NEON_PROJECT, identity, defaultBranchProtected=True)
    branch = f"{identity}/{default_branch(identity)}"
    found = HANDLERS[BRANCH].look_up(bench.context(), branch)
    assert found is not None
    assert found[1]["protected"] == "yes"
    bench.update(NEON_PROJECT, identity, defaultBranchProtected=None)
    assert "protected" not in (HANDLERS[BRANCH].look_up(bench.context(), branch) or ("", {}))[1]
