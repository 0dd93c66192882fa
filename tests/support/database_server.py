"""Helpers for tests that talk to a database, or that start, stop and hurt a server of their own."""

import contextlib
from collections.abc import Generator
from pathlib import Path

import psutil
import psycopg2

from stack.local.neon.postgres.server import Postgres
from stack.local.system.processes import Guard

FAST = {"fsync": "off", "full_page_writes": "off"}
"""Settings under which data outlives the server's death, but not the machine's."""


@contextlib.contextmanager
def guarded(directory: Path) -> Generator[Guard]:
    """A guard whose records lie in the directory's `run`."""
    guard = Guard(directory / "run")
    guard.start()
    try:
        yield guard
    finally:
        guard.close()


@contextlib.contextmanager
def connected(url: str) -> Generator[psycopg2.extensions.connection]:
    link = psycopg2.connect(url)
    try:
        link.autocommit = True
        yield link
    finally:
        link.close()


def ask(url: str, statement: str) -> list[tuple[object, ...]]:
    with connected(url) as link, link.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def fill(server: Postgres) -> str:
    server.create_role("owner", "secret")
    server.create_database("shop", "owner")
    url = server.url("owner", "secret", "shop")
    ask(url, "CREATE TABLE orders AS SELECT 1 AS id")
    return url


def postmaster(data: Path) -> psutil.Process:
    return psutil.Process(int((data / "postmaster.pid").read_text().splitlines()[0]))


def is_gone(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
