"""Pulumi's own engine: protection, destroy, and stacks of pull requests."""

import contextlib
from collections.abc import Iterator

import pytest

from tests.support.checkout import get_json, request
from tests.support.engine import Engine, engine, needs_pulumi

pytestmark = [needs_pulumi, pytest.mark.xdist_group("engine-protection")]

# Resources that hold data, or a name that clients know
PROTECTED = {"database-project", "gateway-api", "site-project", "site-domain"}
KINDS = {"neon-projects", "apis", "vercel-projects", "vercel-domains"}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with engine(tmp_path_factory.mktemp("protection")) as deployed:
        deployed.up()
        yield deployed


@contextlib.contextmanager
def protected(stack: Engine) -> Iterator[None]:
    with stack.configured(protect=True):
        stack.up()
        yield
    stack.up()


def test_a_replacement_of_a_protected_resource_is_refused_before_anything_changes(
    stack: Engine,
) -> None:
    before = stack.records()
    database = stack.resources()["database-project"]["urn"]
    with protected(stack):
        for command in (("preview",), ("up", "--yes", "--skip-preview")):
            text = stack.run(*command, "--replace", database, code=1)
            assert "database-project" in text
            assert "protect" in text
        assert stack.records() == before
        assert request(stack.outputs()["api_url"] + "/health/ready")[0] == 200


def test_a_destroy_of_a_protected_stack_is_refused_by_its_preview(stack: Engine) -> None:
    before = stack.records()
    with protected(stack):
        assert "protected" in stack.run("destroy", "--yes", code=1)
        assert stack.records() == before


def test_a_destroy_without_preview_keeps_protected_resources_and_an_update_restores_the_rest(
    stack: Engine,
) -> None:
    before = stack.outputs()
    assert request(before["api_url"] + "/ingest/generate-mock?count=4&seed=1", "POST")[0] == 200
    with protected(stack):
        assert "protect" in stack.run("destroy", "--yes", "--skip-preview", code=1)
        assert stack.records().keys() == KINDS
        assert stack.resources().keys() == PROTECTED
        stack.up()
        assert stack.outputs() == before, "the addresses are unchanged"
        assert get_json(before["api_url"] + "/accounts")["total"] == 4, "the data is unchanged"


def test_protected_resources_can_be_excluded_from_a_destroy(stack: Engine) -> None:
    with protected(stack):
        stack.run("destroy", "--yes", "--skip-preview", "--exclude-protected")
        assert stack.records().keys() == KINDS


def test_a_pull_requests_stack_is_separate_from_the_local_one_and_is_removed_completely(
    stack: Engine,
) -> None:
    pull = Engine(stack.copy, "pr-1")
    before, ports = stack.records(), (stack.root / ".local/ports.json").read_text()
    assert "create" in pull.up().values()
    mine, theirs = stack.outputs(), pull.outputs()
    assert (
        not mine.items()
        & {key: value for key, value in theirs.items() if key != "cors_origins"}.items()
    ), "nothing is shared"
    assert request(theirs["api_url"] + "/ingest/generate-mock?count=5&seed=2", "POST")[0] == 200
    assert get_json(theirs["api_url"] + "/accounts")["total"] == 5
    assert get_json(mine["api_url"] + "/accounts")["total"] != 5
    assert all(
        "pr-1" in name
        for kind in ("functions", "roles", "log-groups", "aliases")
        for name in pull.records()[kind]
    )
    assert theirs["api_url"] in stack.copy.run("status")
    pull.run("destroy", "--yes", "--skip-preview")
    assert pull.records() == {}
    pull.run("stack", "rm", "--yes")
    assert [path for path in stack.root.rglob("*") if "pr-1" in path.name] == []
    assert not [
        path for path in (stack.root / ".local").rglob("*.json") if "pr-1" in path.read_text()
    ]
    assert (stack.root / ".local/ports.json").read_text() == ports
    with contextlib.suppress(OSError):
        assert not request(theirs["api_url"]), "the API is no longer served"
    assert stack.records() == before
    assert stack.preview() == {}


def test_a_pull_requests_database_can_be_a_branch_of_the_protected_one(
    stack: Engine,
) -> None:
    pull = Engine(stack.copy, "pr-2")
    outputs = stack.outputs()
    branch_of = {"databaseBranchOf": outputs["neon_project_id"]}
    with stack.configured(**branch_of):
        assert "is not protected" in pull.run("up", "--yes", "--skip-preview", code=1)
    assert not {"neon-branches", "functions"} & pull.records().keys()
    with stack.configured(neonBranchProtected=True):
        assert stack.up() == {"database-project": "update"}
        total = get_json(outputs["api_url"] + "/accounts")["total"]
        with stack.configured(**branch_of):
            assert set(pull.preview().values()) <= {"create", "read", "update"}
            pull.up()
            theirs = pull.outputs()
            assert get_json(theirs["api_url"] + "/accounts")["total"] == total, "a copy of the data"
            assert (
                request(theirs["api_url"] + "/ingest/generate-mock?count=3&seed=9", "POST")[0]
                == 200
            )
            assert get_json(outputs["api_url"] + "/accounts")["total"] == total, (
                "the copy is separate"
            )
            assert pull.preview() == {"database-parent": "read"}
            assert set(pull.up("refresh").values()) <= {"read"}, "nothing has drifted"
            pull.run("destroy", "--yes", "--skip-preview")
        assert pull.records() == {}
        assert get_json(outputs["api_url"] + "/accounts")["total"] == total
    stack.up()


def test_a_destroy_leaves_nothing(stack: Engine) -> None:
    stack.run("destroy", "--yes", "--skip-preview")
    assert stack.records() == {}
    assert stack.resources() == {}
    stack.up()
    assert request(stack.outputs()["api_url"] + "/health/ready")[0] == 200
