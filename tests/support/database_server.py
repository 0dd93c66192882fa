"""Helpers for tests that query a database, or that start and stop a server of their own."""

import contextlib
from collections.abc import Generator
from pathlib import Path

import psutil
import psycopg2

from stack.local.neon.postgres.server import Postgres

FAST = {"fsync": "off", "full_page_writes": "off"}
"""Settings under which data survive a crash of the server, but not of the machine."""


@contextlib.contextmanager
def connected(url: str) -> Generator[psycopg2.extensions.connection]:
    """Yield a connection in autocommit mode, closed at the end."""
    link = psycopg2.connect(url)
    try:
        link.autocommit = True
        yield link
    finally:
        link.close()


def query(url: str, statement: str) -> list[tuple[object, ...]]:
    """Execute a statement on a new connection and return its rows, if it returns any."""
    with connected(url) as link, link.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def create_orders(server: Postgres) -> str:
    """Create a database with a table `orders` of one row, id 1; return its owner's URL."""
    server.create_role("owner", "secret")
    server.create_database("shop", "owner")
    url = server.url("owner", "secret", "shop")
    query(url, "CREATE TABLE orders AS SELECT 1 AS id")
    return url


def server_process(data: Path) -> psutil.Process:
    """Return the process of the server that runs on a data directory."""
    return psutil.Process(int((data / "postmaster.pid").read_text().splitlines()[0]))
