"""A database that is a branch of another stack's: its creation, its role, and refusals."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pulumi
import pytest

from stack.local.resources import values
from stack.local.resources.values import Secret
from tests.support.program import (
    COMPUTED_OUTPUTS,
    EXISTING,
    PASSWORD,
    Recording,
    evaluate,
    make_project,
)

BRANCH, ENDPOINT = "neon:index/branch:Branch", "neon:index/endpoint:Endpoint"
GET_PROJECT = "neon:index/getProject:getProject"
GET_PASSWORD = "neon:index/getBranchRolePassword:getBranchRolePassword"
CONFIG = {"databaseBranchOf": "quiet-forest-1", "siteDomain": "acme-{stack}.example.com"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("program"))


@pytest.fixture(scope="module")
def branched(project: Path) -> Recording:
    return evaluate(project, stack="pr-7", config=CONFIG)


def refused(project: Path, **existing: Mapping[str, Any]) -> tuple[str, Recording]:
    recording = Recording(
        preview=False,
        computed_outputs=COMPUTED_OUTPUTS,
        existing={
            **EXISTING,
            **{token.replace("_", ":", 1): outputs for token, outputs in existing.items()},
        },
    )
    with pytest.raises(pulumi.RunError) as error:
        evaluate(project, stack="pr-7", config=CONFIG, into=recording)
    return str(error.value), recording


def test_a_branch_and_an_endpoint_are_created_instead_of_a_project(branched: Recording):
    assert [resource.type for resource in branched.of(":Project")] == [
        "vercel:index/project:Project"
    ]
    assert branched["database-branch"].plain == {
        "projectId": "quiet-forest-1",
        "parentId": "br-main-1",
        "name": "ai-success-insights-pr-7",
    }
    assert branched["database-endpoint"].plain == {
        "projectId": "quiet-forest-1",
        "branchId": "database-branch-id",
        "type": "read_write",
        "autoscalingLimitMinCu": 0.25,
        "autoscalingLimitMaxCu": 0.25,
        "suspendTimeoutSeconds": 0,
    }
    assert branched["database-branch"].parent == branched["database-endpoint"].parent == "database"


def test_a_new_parent_replaces_the_branch_and_the_endpoint(
    branched: Recording,
):
    assert branched["database-branch"].replace_on_changes == {"projectId", "parentId"}
    assert branched["database-endpoint"].replace_on_changes == {"projectId", "branchId"}


def test_the_inherited_role_connects_with_its_new_password_at_the_branchs_own_host(
    branched: Recording,
):
    assert (
        GET_PASSWORD,
        {
            "projectId": "quiet-forest-1",
            "branchId": "database-branch-id",
            "roleName": "insights:owner",
        },
    ) in branched.asked
    direct, pooled = (
        urlsplit(values.reveal(branched.outputs[name]))
        for name in ("direct_database_url", "database_url")
    )
    assert direct.hostname == "database-endpoint-id.eu-central-1.aws.neon.tech"
    assert pooled.hostname == "database-endpoint-id-pooler.eu-central-1.aws.neon.tech"
    for url in (direct, pooled):
        assert (url.username, url.password, url.path) == (
            quote("insights:owner", safe=""),
            quote(PASSWORD, safe=""),
            "/insights",
        )


def test_only_the_urls_are_secret_and_the_parents_credentials_are_not_sent(
    branched: Recording,
):
    assert {name for name, value in branched.outputs.items() if values.holds(value, Secret)} == {
        "database_url",
        "direct_database_url",
    }
    assert not values.holds(dict(branched["database-branch"].inputs), Secret)
    assert "parents-password" not in branched.text(values.reveal)
    assert PASSWORD not in branched.text(values.redact)


def test_the_branch_is_what_is_migrated(branched: Recording):
    triggers = branched["service-migration"].plain["triggers"]
    assert {key: triggers[key] for key in ("project", "branch", "database")} == {
        "project": "quiet-forest-1",
        "branch": "database-branch-id",
        "database": "insights",
    }
    assert branched.outputs["neon_project_id"] == "quiet-forest-1"


@pytest.mark.parametrize(
    "protected", [{}, {"protected": "no"}, {"protected": ""}], ids=["never set", "no", "empty"]
)
def test_an_unprotected_parent_is_refused_before_a_branch_of_it_is_created(
    project: Path, protected: dict[str, str]
):
    found = {
        key: value for key, value in EXISTING[BRANCH].items() if key != "protected"
    } | protected
    message, recording = refused(project, **{BRANCH.replace(":", "_", 1): found})
    assert "databaseBranchOf is 'quiet-forest-1'" in message
    assert "not protected" in message
    assert "passwords" in message
    assert "neonBranchProtected" in message
    assert (
        not {"database-branch", "database-endpoint", "service-api-function"}
        & recording.resources.keys()
    )


def test_a_password_that_neon_does_not_return_is_an_error(project: Path):
    message, recording = refused(
        project, **{GET_PASSWORD.replace(":", "_", 1): {"password": Secret("")}}
    )
    assert "password of the role 'insights:owner'" in message
    assert "service-api-function" not in recording.resources


def test_a_preview_reads_the_parent_and_leaves_the_outputs_of_the_branch_unknown(project: Path):
    preview = evaluate(project, stack="pr-7", config=CONFIG, preview=True)
    assert {token for token, _ in preview.asked} == {GET_PROJECT, BRANCH}, (
        "the password is read once there is a branch"
    )
    assert preview["database-branch"].plain["parentId"] == "br-main-1"
    assert values.reveal(preview.outputs["database_url"]) is values.UNKNOWN


def test_a_stack_with_a_project_of_its_own_reads_nothing_from_neon(project: Path):
    assert evaluate(project, preview=True).asked == []
    assert evaluate(project).asked == []


def test_protection_of_the_projects_branch_is_sent_if_it_is_configured(project: Path):
    assert (
        evaluate(project, config={"neonBranchProtected": "true"})["database-project"].plain[
            "defaultBranchProtected"
        ]
        is True
    )
    assert "defaultBranchProtected" not in evaluate(project)["database-project"].plain


def test_locally_database_and_role_have_the_name_of_the_branch(
    project: Path,
):
    one_server = evaluate(
        project, stack="pr-7", config={**CONFIG, "siteDomain": "localhost:3000"}, local=True
    )
    url = urlsplit(values.reveal(one_server.outputs["direct_database_url"]))
    assert (url.username, url.path) == ("ai-success-insights-pr-7", "/ai-success-insights-pr-7")


def test_two_pull_requests_share_no_physical_name(project: Path):
    def names(stack: str) -> list[str]:
        recording = evaluate(project, stack=stack, config={"siteDomain": CONFIG["siteDomain"]})
        keys = ("name", "layerName", "domain")
        return [
            resource.plain[key]
            for resource in recording.resources.values()
            for key in keys
            if key in resource.plain
        ]

    mine, other = names("pr-1"), names("pr-12")
    generic = {"$default", "live"}  # within their own API and function
    assert len(mine) > 10
    assert set(mine) & set(other) == generic
    assert [
        name for name in mine if "pr-1" not in name and "pr_1" not in name and name not in generic
    ] == []
