"""The migration function: brings the database at DATABASE_URL (the direct one) to the head of this bundle.

Called once an update and possibly twice at the same time. Its answer and its errors are printed by the command line of whoever deploys, so
they hold revisions, an error's class and its SQLSTATE, and nothing else.
"""

import json
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any, Final, TypedDict

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, NullPool, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError, OperationalError

from service import logs

SCRIPTS: Final = Path(__file__).parent / "migrations"
CONNECT_SECONDS: Final = 10
LOCK_SECONDS: Final = 4
"""A statement that waits longer for a table gives up, so that requests do not queue up behind it."""
ATTEMPTS: Final = 3
QUEUE_SECONDS: Final = 240
"""Another migration of the same database may take this long."""
STATEMENT_SECONDS: Final = 300
ADVISORY_KEY: Final = 0x61_73_69  # any number of our own: "asi"
LOCK_NOT_AVAILABLE: Final = "55P03"


class Result(TypedDict):
    """`revision` is the database's afterwards, `applied` what was run, `ahead` true for a database that a newer release has migrated."""

    revision: str | None
    applied: list[str]
    ahead: bool


class MigrationFailedError(Exception):
    """Class and SQLSTATE of what went wrong; the function's log has its place and the server's message."""


def handler(event: object, context: object) -> Result:
    """Migrates. Raises `MigrationFailedError`, with the database at the last revision that went through."""
    logs.configure()
    failure: MigrationFailedError
    try:
        return migrate(os.environ["DATABASE_URL"])
    except DBAPIError as error:
        server_message = getattr(getattr(error.orig, "diag", None), "message_primary", None)
        logs.log(
            "the migration failed",
            level=logging.ERROR,
            error=error,
            sqlstate=_sqlstate(error),
            reason=server_message,
        )
        failure = MigrationFailedError(
            f"{type(error.orig).__name__} {_sqlstate(error) or 'without SQLSTATE'}"
        )
    except Exception as error:  # noqa: BLE001 - whatever it is, its text may hold the URL
        logs.log("the migration failed", level=logging.ERROR, error=error)
        failure = MigrationFailedError(type(error).__name__)
    raise failure  # outside of the handlers, so that the original does not come along as its context


def migrate(url: str) -> Result:
    """One transaction a migration, so that a failure leaves the schema of the one before."""
    scripts, database = ScriptDirectory(str(SCRIPTS)), engine(url)
    applied: list[str] = []
    while True:
        before, after = _with_patience(scripts, database)
        if after is None or after == before:
            return {
                "revision": after,
                "applied": applied,
                "ahead": after is not None and not _known(scripts, after),
            }
        logs.log("migrated", revision=after)
        applied.append(after)


def engine(url: str) -> Engine:
    """For SQLAlchemy, whose plain `postgresql://` means another driver."""
    return create_engine(
        make_url(url).set(drivername="postgresql+psycopg2"),
        poolclass=NullPool,
        connect_args={"connect_timeout": CONNECT_SECONDS},
    )


def _with_patience(scripts: ScriptDirectory, database: Engine) -> tuple[str | None, str | None]:
    """A step that found a table in use is tried again, a little later each time."""
    for attempt in range(1, ATTEMPTS):
        try:
            return _step(scripts, database)
        except OperationalError as error:
            if _sqlstate(error) != LOCK_NOT_AVAILABLE:
                raise
            logs.log("a table is in use", level=logging.WARNING, attempt=attempt)
            time.sleep(attempt)
    return _step(scripts, database)


def _step(scripts: ScriptDirectory, database: Engine) -> tuple[str | None, str | None]:
    """The revision before and after one migration, or twice the same when there was none to run.

    Everything happens in one transaction, under a lock that ends with it: who comes second finds the work done.
    """
    with database.begin() as connection:
        _limit(connection, lock_seconds=QUEUE_SECONDS)
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_KEY})
        _limit(connection, lock_seconds=LOCK_SECONDS)
        before = _revision(connection)
        if before != scripts.get_current_head() and (before is None or _known(scripts, before)):
            command.upgrade(_config(connection), "+1")
        return before, _revision(connection)


def _limit(connection: Connection, *, lock_seconds: int) -> None:
    connection.execute(
        text(
            f"SET LOCAL lock_timeout = '{lock_seconds}s'; SET LOCAL statement_timeout = '{STATEMENT_SECONDS}s'"
        )
    )


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _known(scripts: ScriptDirectory, revision: str) -> bool:
    return any(script.revision == revision for script in scripts.walk_revisions())


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option(
        "script_location", str(SCRIPTS).replace("%", "%%")
    )  # the option is interpolated
    config.attributes["connection"] = connection
    return config


def _sqlstate(error: DBAPIError) -> str | None:
    return getattr(error.orig, "pgcode", None)


def main() -> int:
    """For a terminal: migrates DATABASE_URL and prints the result."""
    result: dict[str, Any] = {**handler({}, None)}
    sys.stdout.write(json.dumps(result) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
