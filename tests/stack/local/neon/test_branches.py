"""Tests a stack's database that is a branch of another stack's, on a real server."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import psycopg2
import pulumi
import pytest

from common.errors import UserError
from stack.local.cloud import Cloud
from stack.local.deploy.evaluate import Evaluation
from stack.local.deploy.state import StackState
from stack.local.neon.postgres.server import Postgres
from stack.local.registry import FUNCTIONS, HANDLERS
from stack.local.resources import values
from stack.local.resources.base import Context
from stack.local.resources.store import Store
from tests.support.database_server import query
from tests.support.program import write_program

PROGRAM = """
import pulumi
from components.database import Database, DatabaseArgs
from config.types import BranchOf, Compute

database = Database(
    "database",
    DatabaseArgs(
        name={name!r},
        database={database!r},
        organization="",
        region="aws-us-east-1",
        postgres_version=17,
        history_seconds=21600,
        compute=Compute(min_cu=0.25, max_cu=0.25, suspend_seconds=0),
        ssl_mode="prefer",
        branch_protected={protected!r},
        branch_of={branch_of},
    ),
)
pulumi.export("url", database.direct_url)
pulumi.export("project", database.project_id)
"""


@dataclass
class LocalStacks:
    """Two stacks on one server, with one store."""

    root: Path
    postgres: Postgres
    prefix: str

    def __post_init__(self) -> None:
        self.store = Store(self.root / "cloud.json")
        self.losses: list[str] = []

    def up(self, stack: str, *, parent: str = "", protected: bool = False) -> Mapping[str, Any]:
        name = f"{self.prefix}-{stack}"
        branch_of = f"BranchOf(project={parent!r}, name={name!r}, one_server=True)"
        source = PROGRAM.format(
            name=name,
            database=name.replace("-", "_"),
            protected=protected,
            branch_of=branch_of if parent else None,
        )
        return self.run(stack, source)

    def destroy(self, stack: str) -> None:
        self.run(stack, "")

    def run(self, stack: str, source: str) -> Mapping[str, Any]:
        cloud = cast(
            "Cloud", SimpleNamespace(store=self.store, service=lambda _kind: self.postgres)
        )

        def context(urn: str) -> Context:
            return Context(cloud=cloud, urn=urn, stack=stack, region="us-east-1", root=self.root)

        evaluation = Evaluation(
            program=write_program(self.root, source, stack=stack),
            state=StackState(self.root / f"{stack}.json"),
            handlers=HANDLERS,
            functions=FUNCTIONS,
            context=context,
            confirm=self.losses.extend,
        )
        return values.reveal(evaluation.run())

    def databases(self) -> set[str]:
        with self.postgres.admin() as admin, admin.cursor() as cursor:
            cursor.execute("SELECT datname FROM pg_database UNION SELECT rolname FROM pg_roles")
            return {
                name
                for (name,) in cursor.fetchall()
                if name.replace("_", "-").startswith(self.prefix)
            }


@pytest.fixture
def stacks(tmp_path: Path, postgres: Postgres) -> Iterator[LocalStacks]:
    stacks = LocalStacks(
        tmp_path, postgres, f"branch-{tmp_path.name[-12:].replace('_', '-')}".lower()
    )
    yield stacks
    for stack in ("pr-1", "local"):
        stacks.destroy(stack)
    assert stacks.databases() == set()


@pytest.fixture
def parent(stacks: LocalStacks) -> Mapping[str, Any]:
    parent = stacks.up("local", protected=True)
    query(parent["url"], "CREATE TABLE accounts (name text); INSERT INTO accounts VALUES ('Acme')")
    return parent


def test_a_branch_has_the_parents_data_and_its_changes_do_not_reach_the_parent(
    stacks: LocalStacks, parent: Mapping[str, Any]
):
    branch = stacks.up("pr-1", parent=parent["project"])
    assert query(branch["url"], "SELECT name FROM accounts") == [("Acme",)]
    query(branch["url"], "ALTER TABLE accounts ADD size int; DELETE FROM accounts")
    assert query(parent["url"], "SELECT * FROM accounts") == [("Acme",)]


def test_a_deleted_database_or_branch_is_reported_with_its_rows(
    stacks: LocalStacks, parent: Mapping[str, Any]
):
    branch = stacks.up("pr-1", parent=parent["project"])
    query(branch["url"], "INSERT INTO accounts SELECT generate_series(1, 1500)")
    query(
        branch["url"], "CREATE TABLE notes (); INSERT INTO notes DEFAULT VALUES; CREATE TABLE e ()"
    )
    assert stacks.losses == []
    stacks.destroy("pr-1")
    stacks.destroy("local")
    assert [loss.partition(": ")[2] for loss in stacks.losses] == [
        "1,501 rows of accounts, 1 row of notes",
        "1 row of accounts",
    ]


def test_the_branchs_role_owns_the_copied_tables_and_cannot_read_the_parent(
    stacks: LocalStacks, parent: Mapping[str, Any]
):
    branch = stacks.up("pr-1", parent=parent["project"])
    assert query(
        branch["url"],
        "SELECT tableowner = current_user FROM pg_tables WHERE tablename = 'accounts'",
    ) == [(True,)]
    branch_login = (
        parent["url"].partition("//")[0]
        + "//"
        + branch["url"].partition("//")[2].rpartition("/")[0]
    )
    database = parent["url"].rpartition("/")[2]
    with pytest.raises(psycopg2.Error, match="permission denied"):
        query(f"{branch_login}/{database}", "SELECT name FROM accounts")


def test_a_second_evaluation_changes_nothing_and_destroy_removes_the_branch(
    stacks: LocalStacks, parent: Mapping[str, Any]
):
    branch = stacks.up("pr-1", parent=parent["project"])
    query(branch["url"], "INSERT INTO accounts VALUES ('Globex')")
    before = (stacks.root / "pr-1.json").read_text()
    assert stacks.up("pr-1", parent=parent["project"]) == branch
    assert (stacks.root / "pr-1.json").read_text() == before
    assert query(branch["url"], "SELECT count(*) FROM accounts") == [(2,)]
    stacks.destroy("pr-1")
    assert not [name for name in stacks.databases() if "pr-1" in name or "pr_1" in name]
    assert "pr-1" not in (stacks.root / "cloud.json").read_text()
    assert json.loads((stacks.root / "pr-1.json").read_text())["resources"] == []
    assert query(parent["url"], "SELECT name FROM accounts") == [("Acme",)]


def test_an_unprotected_parent_is_refused_and_nothing_is_copied(stacks: LocalStacks):
    parent = stacks.up("local")
    before = stacks.databases()
    with pytest.raises(pulumi.RunError, match="not protected"):
        stacks.up("pr-1", parent=parent["project"])
    assert stacks.databases() == before


def test_a_parent_that_does_not_exist_locally_is_an_error_with_its_id(stacks: LocalStacks):
    with pytest.raises(
        UserError, match="there is no Neon project 'quiet-forest-1' on this machine"
    ):
        stacks.up("pr-1", parent="quiet-forest-1")
    assert stacks.databases() == set()


def test_a_branch_whose_database_was_dropped_is_copied_again(
    stacks: LocalStacks, parent: Mapping[str, Any]
):
    branch = stacks.up("pr-1", parent=parent["project"])
    stacks.postgres.drop_database(f"{stacks.prefix}-pr-1")
    second = stacks.up("pr-1", parent=parent["project"])
    assert query(second["url"], "SELECT name FROM accounts") == [("Acme",)]
    assert second == branch, "the role keeps its password"
