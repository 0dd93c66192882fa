"""A stack's database as a branch of another stack's on one machine: the real component, the real evaluation, a real server."""

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
from tests.support.database_server import ask
from tests.support.program import write_program

PROGRAM = """
import pulumi
from components.database import Database, DatabaseArgs
from config.types import BranchOf, Compute

database = Database(
    "database",
    DatabaseArgs(
        name={name!r}, database={database!r}, organization="", region="aws-us-east-1", postgres_version=17, history_seconds=21600,
        compute=Compute(min_cu=0.25, max_cu=0.25, suspend_seconds=0), ssl_mode="prefer", branch_protected={protected!r},
        branch_of=BranchOf(project={parent!r}, name={name!r}, one_server=True) if {parent!r} else None,
    ),
)
pulumi.export("url", database.direct_url)
pulumi.export("project", database.project_id)
"""


@dataclass
class Machine:
    """Two stacks on one server, with one store."""

    root: Path
    postgres: Postgres
    prefix: str

    def __post_init__(self) -> None:
        self.store = Store(self.root / "cloud.json")

    def up(self, stack: str, *, parent: str = "", protected: bool = False) -> Mapping[str, Any]:
        name = f"{self.prefix}-{stack}"
        return self.run(
            stack,
            PROGRAM.format(
                name=name, database=name.replace("-", "_"), parent=parent, protected=protected
            ),
        )

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
def machine(tmp_path: Path, postgres: Postgres) -> Iterator[Machine]:
    machine = Machine(tmp_path, postgres, f"branch-{tmp_path.name[-12:].replace('_', '-')}".lower())
    yield machine
    for stack in ("pr-1", "local"):
        machine.destroy(stack)
    assert machine.databases() == set()


@pytest.fixture
def parent(machine: Machine) -> Mapping[str, Any]:
    parent = machine.up("local", protected=True)
    ask(parent["url"], "CREATE TABLE accounts (name text); INSERT INTO accounts VALUES ('Acme')")
    return parent


def test_a_branch_has_the_parents_data_and_what_is_changed_in_it_stays_in_it(
    machine: Machine, parent: Mapping[str, Any]
):
    branch = machine.up("pr-1", parent=parent["project"])
    assert ask(branch["url"], "SELECT name FROM accounts") == [("Acme",)]
    ask(branch["url"], "ALTER TABLE accounts ADD size int; DELETE FROM accounts")
    assert ask(parent["url"], "SELECT * FROM accounts") == [("Acme",)]


def test_the_branchs_role_owns_what_it_inherits_and_cannot_enter_the_parent(
    machine: Machine, parent: Mapping[str, Any]
):
    branch = machine.up("pr-1", parent=parent["project"])
    assert ask(
        branch["url"],
        "SELECT tableowner = current_user FROM pg_tables WHERE tablename = 'accounts'",
    ) == [(True,)]
    stolen = (
        parent["url"].partition("//")[0]
        + "//"
        + branch["url"].partition("//")[2].rpartition("/")[0]
    )
    database = parent["url"].rpartition("/")[2]
    with pytest.raises(psycopg2.Error, match="permission denied"):
        ask(f"{stolen}/{database}", "SELECT name FROM accounts")


def test_a_second_evaluation_changes_nothing_and_a_destroyed_branch_leaves_no_trace(
    machine: Machine, parent: Mapping[str, Any]
):
    branch = machine.up("pr-1", parent=parent["project"])
    ask(branch["url"], "INSERT INTO accounts VALUES ('Globex')")
    before = (machine.root / "pr-1.json").read_text()
    assert machine.up("pr-1", parent=parent["project"]) == branch
    assert (machine.root / "pr-1.json").read_text() == before
    assert ask(branch["url"], "SELECT count(*) FROM accounts") == [(2,)]
    machine.destroy("pr-1")
    assert not [name for name in machine.databases() if "pr-1" in name or "pr_1" in name]
    assert "pr-1" not in (machine.root / "cloud.json").read_text()
    assert json.loads((machine.root / "pr-1.json").read_text())["resources"] == []
    assert ask(parent["url"], "SELECT name FROM accounts") == [("Acme",)]


def test_an_unprotected_parent_is_refused_and_nothing_is_copied(machine: Machine):
    parent = machine.up("local")
    before = machine.databases()
    with pytest.raises(pulumi.RunError, match="not protected"):
        machine.up("pr-1", parent=parent["project"])
    assert machine.databases() == before


def test_a_parent_that_is_not_on_this_machine_is_refused_by_its_id(machine: Machine):
    with pytest.raises(
        UserError, match="there is no Neon project 'quiet-forest-1' on this machine"
    ):
        machine.up("pr-1", parent="quiet-forest-1")
    assert machine.databases() == set()


def test_a_branch_whose_database_has_gone_is_copied_again(
    machine: Machine, parent: Mapping[str, Any]
):
    branch = machine.up("pr-1", parent=parent["project"])
    machine.postgres.drop_database(f"{machine.prefix}-pr-1")
    again = machine.up("pr-1", parent=parent["project"])
    assert ask(again["url"], "SELECT name FROM accounts") == [("Acme",)]
    assert again == branch, "the role keeps its password"
