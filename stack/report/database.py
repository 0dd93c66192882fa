"""Compares the database schemas of both sides, which their own migrations create on a local server.

A released migration must not be edited: databases that have run it keep the old schema. So the
head's schema is created in two ways, from an empty database and on a database of the base.
"""

import difflib
import json
import re
import secrets
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from common.errors import UserError
from stack.local.neon.postgres.data_directory import programs
from stack.local.neon.postgres.server import Postgres
from stack.local.system.ports import Ports
from stack.local.system.processes import Guard
from stack.report import child_process
from stack.report.revisions import Side

FAST = {"fsync": "off", "full_page_writes": "off"}  # the data are deleted at the end
# Lines of a dump that are not part of the schema; `\restrict` has a random key.
NOT_SCHEMA = re.compile(r"^(--|\\(un)?restrict |SET |SELECT pg_catalog\.set_config|$)")


@dataclass(frozen=True, kw_only=True)
class Migrated:
    """The result of migrations: the revisions that were run and the schema as SQL, or the error."""

    applied: list[str] = field(default_factory=list[str])
    schema: str = ""
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Schemas:
    """base, head: on an empty database. upgraded: the head's migrations on the base's database."""

    base: Migrated
    head: Migrated
    upgraded: Migrated

    @property
    def incomparable(self) -> bool:
        """Whether the schema of a side is missing."""
        return bool(self.base.error or (self.upgraded.error and self.head.error))

    @property
    def difference(self) -> list[str]:
        """A unified diff without its header; empty if the schemas are equal or one is missing."""
        if self.incomparable:
            return []
        after = self.head if self.upgraded.error else self.upgraded
        return list(
            difflib.unified_diff(
                self.base.schema.splitlines(), after.schema.splitlines(), lineterm="", n=2
            )
        )[2:]

    @property
    def released_migration_edited(self) -> bool:
        """Whether a new database gets another schema than an upgraded one."""
        return (
            not (self.head.error or self.upgraded.error)
            and self.head.schema != self.upgraded.schema
        )


class Server:
    """A running server, with a database for each result of `Schemas`."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres
        self._password = secrets.token_urlsafe(18)
        postgres.create_role("report", self._password)

    def compare(self, base: Side, head: Side) -> Schemas:
        """Run both sides' migrations."""
        self._postgres.create_database("base", "report")
        self._postgres.create_database("head", "report")
        before = self._migrate(base, "base")
        self._postgres.copy_database("base", "upgraded", "report")
        after = self._migrate(head, "head")
        upgraded = (
            Migrated(error="the base's own migrations fail")
            if before.error
            else self._migrate(head, "upgraded")
        )
        return Schemas(base=before, head=after, upgraded=upgraded)

    def _migrate(self, side: Side, database: str) -> Migrated:
        url = self._postgres.url("report", self._password, database)
        try:
            output = child_process.run(
                ["-m", "service.migrate"], side.root, variables={"DATABASE_URL": url}
            )
            applied = list(json.loads(output.strip().splitlines()[-1])["applied"])
        except (UserError, ValueError, KeyError, IndexError) as error:
            return Migrated(error=str(error).replace(url, "DATABASE_URL") or type(error).__name__)
        return Migrated(applied=applied, schema=self._dump(url))

    def _dump(self, url: str) -> str:
        command = [
            str(programs() / "pg_dump"),
            "--schema-only",
            "--no-owner",
            "--no-privileges",
            "--exclude-table=alembic_version",
            url,
        ]
        dumped = subprocess.run(
            command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )
        if dumped.returncode != 0:
            error = dumped.stderr.strip().replace(url, "DATABASE_URL")
            raise UserError(f"the schema could not be read: {error}")
        return "\n".join(line for line in dumped.stdout.splitlines() if not NOT_SCHEMA.match(line))


@contextmanager
def server(directory: Path) -> Generator[Server]:
    """Run a server below a directory that every user can enter, and delete its data at the end."""
    guard = Guard(directory / "run")
    guard.start()
    home = directory / "postgres"
    try:
        port = Ports(directory / "ports.json").choose("report").postgres
        postgres = Postgres(home, guard, port=port, settings=FAST)
        postgres.start()
        yield Server(postgres)
        postgres.stop()
    finally:
        guard.close()
        Postgres.remove(home)
