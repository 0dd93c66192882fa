"""The migration function: migrates the database at DATABASE_URL to the head of this bundle.

A deployment invokes it once, but Lambda can deliver an invocation twice, at the same time. The
Pulumi CLI prints the result and the error, so these hold revisions, the class of an error and its
SQLSTATE, and nothing else. DATABASE_URL is the direct one, not the pooler's.
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
"""How long DDL waits for a table lock. Requests queue behind a waiting ACCESS EXCLUSIVE lock."""
ATTEMPTS: Final = 3
ADVISORY_LOCK_SECONDS: Final = 240
"""How long this migration waits for another one of the same database."""
STATEMENT_SECONDS: Final = 300
ADVISORY_KEY: Final = 0x61_73_69  # "asi"; any number that no other application uses
LOCK_NOT_AVAILABLE: Final = "55P03"


class Result(TypedDict):
    """The outcome of a migration.

    revision: of the database afterwards.
    applied: the revisions that were applied.
    ahead: whether a newer release has migrated the database, so that this bundle does not know
    its revision.
    """

    revision: str | None
    applied: list[str]
    ahead: bool


class MigrationFailedError(Exception):
    """The class and SQLSTATE of an error; the function's log has the traceback and the message."""


def handler(event: object, context: object) -> Result:
    """Migrate the database at DATABASE_URL.

    Raises `MigrationFailedError`; the database is then at the last revision that succeeded.
    """
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
    except Exception as error:  # noqa: BLE001 - the message of any error can hold the URL
        logs.log("the migration failed", level=logging.ERROR, error=error)
        failure = MigrationFailedError(type(error).__name__)
    # Raised outside the except blocks: inside, the original error, whose message can hold the URL,
    # would become its __context__ and be printed with it.
    raise failure


def migrate(url: str) -> Result:
    """Apply the missing migrations, each in a transaction of its own.

    So a failure keeps what succeeded before, and another attempt continues there.
    """
    scripts, database = ScriptDirectory(str(SCRIPTS)), engine(url)
    applied: list[str] = []
    while True:
        before, after = _step_with_retries(scripts, database)
        if after is None or after == before:
            return {
                "revision": after,
                "applied": applied,
                "ahead": after is not None and not _is_known(scripts, after),
            }
        logs.log("migrated", revision=after)
        applied.append(after)


def engine(url: str) -> Engine:
    """Return an engine for psycopg2, whatever driver the URL names, without a connection pool."""
    return create_engine(
        make_url(url).set(drivername="postgresql+psycopg2"),
        poolclass=NullPool,
        connect_args={"connect_timeout": CONNECT_SECONDS},
    )


def _step_with_retries(scripts: ScriptDirectory, database: Engine) -> tuple[str | None, str | None]:
    """Run a step again when a table was locked for longer than `LOCK_SECONDS`.

    In the pauses, requests that queued behind the lock request are served.
    """
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
    """Apply one migration; return the revision before and after, which are equal at the head.

    The advisory lock is held until the transaction ends, so that of two concurrent invocations the
    second reads the revision that the first has written, and does not apply it again.
    """
    with database.begin() as connection:
        # lock_timeout also applies to the advisory lock, where a longer wait blocks no request.
        _set_timeouts(connection, lock_seconds=ADVISORY_LOCK_SECONDS)
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_KEY})
        _set_timeouts(connection, lock_seconds=LOCK_SECONDS)
        before = _revision(connection)
        # An unknown revision belongs to a newer release: after a rollback, its schema is kept.
        if before != scripts.get_current_head() and (before is None or _is_known(scripts, before)):
            command.upgrade(_config(connection), "+1")
        return before, _revision(connection)


def _set_timeouts(connection: Connection, *, lock_seconds: int) -> None:
    connection.execute(
        text(
            f"SET LOCAL lock_timeout = '{lock_seconds}s'; "
            f"SET LOCAL statement_timeout = '{STATEMENT_SECONDS}s'"
        )
    )


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _is_known(scripts: ScriptDirectory, revision: str) -> bool:
    return any(script.revision == revision for script in scripts.walk_revisions())


def _config(connection: Connection) -> Config:
    config = Config()
    # Alembic's options interpolate "%".
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _sqlstate(error: DBAPIError) -> str | None:
    return getattr(error.orig, "pgcode", None)


def main() -> int:
    """Migrate DATABASE_URL from a terminal, and print the result."""
    result: dict[str, Any] = {**handler({}, None)}
    sys.stdout.write(json.dumps(result) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
