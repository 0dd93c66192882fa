"""The server, the databases and the function that all measurements share."""

from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg2
from psycopg2.extensions import connection

from benchmarks.database import ROLE, url_of
from benchmarks.function import Function, core, event
from benchmarks.service.meter import Invoked
from stack.local.neon.postgres.server import Postgres

COPY = "measured_writes"


@dataclass(frozen=True, kw_only=True)
class Bench:
    """`names` has the databases by number of accounts.

    `rounds` is the number of requests of each read, `writes` the number of repetitions of each
    write.
    """

    running: Postgres
    names: dict[int, str]
    function: Function
    rounds: int
    writes: int

    @contextmanager
    def metered(self, name: str, *, pinned: bool = True) -> Generator[Invoked]:
        """Runs the function on a database, warmed up; alone on one core when `pinned`."""
        with self.function.start(
            url_of(self.running, name), core=core() if pinned else None
        ) as environment:
            meter = Invoked(self.running, name, environment.pid, environment)
            for _ in range(3):
                meter.ask(event("GET", "/accounts", "page_size=20"))
            yield meter

    @contextmanager
    def copied(self, accounts: int) -> Generator[str]:
        """Yields the name of a copy of a database, for writes."""
        self.running.drop_database(COPY)
        self.running.copy_database(self.names[accounts], COPY, ROLE)
        try:
            yield COPY
        finally:
            self.running.drop_database(COPY)

    @contextmanager
    def connected(self, name: str) -> Generator[connection]:
        """Yields a connection in autocommit mode."""
        with closing(psycopg2.connect(url_of(self.running, name))) as opened:
            opened.autocommit = True
            yield opened

    def execute(self, name: str, *statements: str) -> None:
        with self.connected(name) as opened, opened.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def value(self, name: str, query: str) -> Any:
        with self.connected(name) as opened, opened.cursor() as cursor:
            cursor.execute(query)
            (value,) = cursor.fetchone() or (None,)
        return value
