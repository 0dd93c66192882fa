"""The migration function: applies the missing statements of `service/migrations/`.

A deployment calls it once, but Lambda can deliver a call twice, also at the same time.
"""

import os
from typing import Any

import psycopg2

from service.migrations import MIGRATIONS


class MigrationFailedError(Exception):
    """The class and SQLSTATE of an error: its message could hold a secret, and is printed."""


def handler(event: object, context: object) -> dict[str, Any]:
    """Migrate the database at DATABASE_URL, the direct one. Raises `MigrationFailedError`."""
    failure = ""
    try:
        return {"applied": migrate(os.environ["DATABASE_URL"])}
    except psycopg2.Error as error:
        failure = f"{type(error).__name__} {error.pgcode or 'without SQLSTATE'}"
    raise MigrationFailedError(failure)


def migrate(url: str) -> int:
    """Apply the missing migrations in one transaction; return how many these were."""
    link = psycopg2.connect(url, connect_timeout=10)
    try:
        with link, link.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(1)")
            cursor.execute("CREATE TABLE IF NOT EXISTS migrations (number int PRIMARY KEY)")
            cursor.execute("SELECT count(*) FROM migrations")
            (done,) = cursor.fetchone() or (0,)
            for number, statement in enumerate(MIGRATIONS[done:], done + 1):
                cursor.execute(statement)
                cursor.execute("INSERT INTO migrations VALUES (%s)", (number,))
            return len(MIGRATIONS[done:])
    finally:
        link.close()
