"""The database's schema on both sides, made by the migrations themselves on an embedded server, and the ways that lead to it."""

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
from stack.report import children
from stack.report.revisions import Side

FAST = {"fsync": "off", "full_page_writes": "off"}  # thrown away at the end
NOTES = re.compile(r"^(--|\\(un)?restrict |SET |SELECT pg_catalog\.set_config|$)")
"""Lines of a dump that say nothing on the schema; `\\restrict` holds a random key."""


@dataclass(frozen=True, kw_only=True)
class Migrated:
    """One way to a schema: the revisions that were run, the schema as SQL, or why there is none."""

    applied: list[str] = field(default_factory=list[str])
    schema: str = ""
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Schemas:
    """base, head: from nothing. upgraded: the head's migrations on a database at the base's head."""

    base: Migrated
    head: Migrated
    upgraded: Migrated

    @property
    def incomparable(self) -> bool:
        return bool(self.base.error or (self.upgraded.error and self.head.error))

    @property
    def difference(self) -> list[str]:
        """A unified diff of the schemas, without its header; empty where they are the same or one is missing."""
        if self.incomparable:
            return []
        after = self.head if self.upgraded.error else self.upgraded
        return list(
            difflib.unified_diff(
                self.base.schema.splitlines(), after.schema.splitlines(), lineterm="", n=2
            )
        )[2:]

    @property
    def one_way_differs(self) -> bool:
        """Whether a new database gets another schema than one that is migrated on: a migration that was released has been edited."""
        return (
            not (self.head.error or self.upgraded.error)
            and self.head.schema != self.upgraded.schema
        )


class Server:
    """A server below `place`, with a database for each way."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres
        self._password = secrets.token_urlsafe(18)
        postgres.create_role("report", self._password)

    def compare(self, base: Side, head: Side) -> Schemas:
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
            answer = children.run(
                ["-m", "service.migrate"], side.root, variables={"DATABASE_URL": url}
            )
            applied = list(json.loads(answer.strip().splitlines()[-1])["applied"])
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
            raise UserError(
                f"the schema could not be read: {dumped.stderr.strip().replace(url, 'DATABASE_URL')}"
            )
        return "\n".join(line for line in dumped.stdout.splitlines() if not NOTES.match(line))


@contextmanager
def server(place: Path) -> Generator[Server]:
    """`place` is an existing directory that every user may pass through."""
    guard = Guard(place / "run")
    guard.start()
    home = place / "postgres"
    try:
        postgres = Postgres(
            home, guard, port=Ports(place / "ports.json").choose("report").postgres, settings=FAST
        )
        postgres.start()
        yield Server(postgres)
        postgres.stop()
    finally:
        guard.close()
        Postgres.remove(home)
