"""The migration function: migrates the database at DATABASE_URL to the head of this bundle.

A deployment invokes it once, but Lambda can deliver an invocation twice, at the same time. The
Pulumi CLI prints the result and the error, so these hold revisions, names and lines of files, the
class of an error and its SQLSTATE, and the text of Alembic's own errors, but no message of the
driver. DATABASE_URL is the direct one, not the pooler's: settings and lock belong to the session.
"""

import contextlib
import json
import logging
import os
import re
import sys
import time
import traceback
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final, TypedDict

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, NullPool, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError, OperationalError

from service import logs, migration_files

SCRIPTS: Final = Path(__file__).parent / "migrations"
CONNECT_SECONDS: Final = 10
LOCK_SECONDS: Final = 4
"""How long DDL waits for a table lock. Requests queue behind a waiting ACCESS EXCLUSIVE lock."""
ATTEMPTS: Final = 3
ADVISORY_LOCK_SECONDS: Final = 240
"""How long this migration waits for another one of the same database."""
ADVISORY_LOCK_POLL_SECONDS: Final = 0.2
STATEMENT_SECONDS: Final = 300
ADVISORY_KEY: Final = 0x61_73_69  # "asi"; any number that no other application uses
LOCK_NOT_AVAILABLE: Final = "55P03"

AUTOCOMMIT: Final = "within `with op.get_context().autocommit_block():`"
ADVICE: Final = {
    "25001": f"a statement cannot run inside a transaction: write it {AUTOCOMMIT}, "
    "alone in its op.execute",
    "55P04": "a new value of an enum can be used when it is committed: "
    f"write its ALTER TYPE {AUTOCOMMIT}",
}
"""What to write, by the SQLSTATE of an error."""
REPEATED: Final = {"42701", "42704", "42710", "42703", "42P01", "42P06", "42P07"}
"""SQLSTATEs of objects that are there already, or no longer."""

_BLOCKS_NO_REQUEST: Final = re.compile(
    r"\s*(VACUUM\b(?![^;]*\bFULL\b)|(CREATE|DROP|REINDEX)\b[^;]*\bCONCURRENTLY\b)", re.IGNORECASE
)
_INVALID_INDEXES: Final = """
    SELECT format('%I.%I', nspname, relname)
    FROM pg_index JOIN pg_class c ON c.oid = indexrelid JOIN pg_namespace n ON n.oid = relnamespace
    WHERE NOT indisvalid AND relkind = 'i' AND pg_has_role(relowner, 'USAGE')
        AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index WHERE index_relid = indexrelid)
"""


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
    """What failed, without secrets; the log has the traceback and the server's message."""


def handler(event: object, context: object) -> Result:
    """Migrate the database at DATABASE_URL.

    Raises `MigrationFailedError`; the database is then at the last revision that succeeded.
    """
    logs.configure()
    failure: MigrationFailedError
    try:
        return migrate(os.environ["DATABASE_URL"])
    except Exception as error:  # noqa: BLE001 - the message of any error can hold the URL
        failure = MigrationFailedError(_description(error))
        diagnosis = getattr(getattr(error, "orig", None), "diag", None)
        logs.log(
            "the migration failed",
            level=logging.ERROR,
            error=error,
            failure=str(failure),
            reason=getattr(diagnosis, "message_primary", None),
        )
    # Raised outside the except block: inside, the original error, whose message can hold the URL,
    # would become its __context__ and be printed with it.
    raise failure


def migrate(url: str) -> Result:
    """Apply the missing migrations, each in a transaction of its own.

    So a failure keeps what succeeded before, and another attempt continues there.
    """
    if faults := migration_files.faults(SCRIPTS / "versions"):
        raise MigrationFailedError("; ".join(faults))
    scripts, database = ScriptDirectory(str(SCRIPTS)), engine(url)
    applied: list[str] = []
    while (revision := _step_with_retries(scripts, database)) is not None:
        logs.log("migrated", revision=revision)
        applied.append(revision)
    with database.connect() as connection:
        heads = _heads(connection)
    return {
        "revision": ", ".join(sorted(heads)) or None,
        "applied": applied,
        "ahead": not _are_known(scripts, heads),
    }


def engine(url: str) -> Engine:
    """Return an engine for psycopg2, whatever driver the URL names, without a connection pool."""
    made = create_engine(
        make_url(url).set(drivername="postgresql+psycopg2"),
        poolclass=NullPool,
        connect_args={"connect_timeout": CONNECT_SECONDS},
    )
    event.listen(made, "before_cursor_execute", _lengthen_lock_timeout)
    event.listen(made, "after_cursor_execute", _restore_lock_timeout)
    return made


def _lengthen_lock_timeout(
    _connection: Connection, cursor: Any, statement: str, *_: object
) -> None:
    """Let a statement wait for older transactions where no request waits for it meanwhile."""
    if _BLOCKS_NO_REQUEST.match(statement):
        cursor.execute(f"SET lock_timeout = '{STATEMENT_SECONDS}s'")


def _restore_lock_timeout(connection: Connection, _cursor: Any, statement: str, *_: object) -> None:
    if _BLOCKS_NO_REQUEST.match(statement):
        connection.exec_driver_sql(f"SET lock_timeout = '{LOCK_SECONDS}s'")


def _step_with_retries(scripts: ScriptDirectory, database: Engine) -> str | None:
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


def _step(scripts: ScriptDirectory, database: Engine) -> str | None:
    """Apply one migration and return its revision; None at the head.

    Alembic begins and commits the transaction, so that an `autocommit_block` can commit it, run
    statements outside of one, and begin the next.
    """
    with _session(database) as connection:
        heads = _heads(connection)
        connection.rollback()
        # An unknown revision belongs to a newer release: after a rollback, its schema is kept.
        if not _are_known(scripts, heads):
            return None
        done = {it.revision for it in scripts.iterate_revisions(heads, "base")} if heads else set()
        history = (it.revision for it in scripts.iterate_revisions("head", "base"))
        missing = [revision for revision in history if revision not in done]
        if not missing:
            return None
        try:
            command.upgrade(_config(connection), missing[-1])
        except Exception:
            connection.close()  # a unique index that is invalid would refuse rows
            with contextlib.suppress(Exception), _session(database):
                pass
            raise
        return missing[-1]


@contextlib.contextmanager
def _session(database: Engine) -> Generator[Connection]:
    """Yield a connection with timeouts that holds the advisory lock, without invalid indexes.

    The lock is the session's, because an `autocommit_block` ends the transaction. So of two
    concurrent invocations the second reads the revision that the first has written. It asks for
    the lock again and again: CREATE INDEX CONCURRENTLY waits for the transactions of others, and
    would wait for one that waits for the lock.
    """
    with database.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.exec_driver_sql(
            f"SET lock_timeout = '{LOCK_SECONDS}s'; SET statement_timeout = '{STATEMENT_SECONDS}s'"
        )
        ends = time.monotonic() + ADVISORY_LOCK_SECONDS
        while not connection.scalar(
            text("SELECT pg_try_advisory_lock(:key)"), {"key": ADVISORY_KEY}
        ):
            if time.monotonic() > ends:
                raise MigrationFailedError(
                    f"another migration of this database runs since {ADVISORY_LOCK_SECONDS} s"
                )
            time.sleep(ADVISORY_LOCK_POLL_SECONDS)
        for name in connection.scalars(text(_INVALID_INDEXES)).all():
            logs.log("dropping an invalid index", level=logging.WARNING, index=name)
            connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        connection.commit()
        connection.execution_options(isolation_level=connection.default_isolation_level)
        yield connection


def _heads(connection: Connection) -> tuple[str, ...]:
    return MigrationContext.configure(connection).get_current_heads()


def _are_known(scripts: ScriptDirectory, revisions: tuple[str, ...]) -> bool:
    return set(revisions) <= {script.revision for script in scripts.walk_revisions()}


def _config(connection: Connection) -> Config:
    config = Config()
    # Alembic's options interpolate "%".
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _sqlstate(error: DBAPIError) -> str | None:
    return getattr(error.orig, "pgcode", None)


def _description(error: Exception) -> str:
    """Describe an error without the message of the driver or of a migration's own code."""
    if isinstance(error, MigrationFailedError):
        return str(error)
    if isinstance(error, (CommandError, RevisionError)):
        return f"{type(error).__name__}: {error}"
    place, source = _place(error)
    if not isinstance(error, DBAPIError):
        return f"{type(error).__name__}{place}"
    sqlstate = _sqlstate(error)
    advice = ADVICE.get(sqlstate or "", "")
    if sqlstate in REPEATED and "autocommit_block" in source:
        advice = (
            "an attempt that was interrupted keeps what it committed before and in the "
            "autocommit_block: write IF NOT EXISTS or IF EXISTS, so that it can be repeated"
        )
    return (
        f"{type(error.orig).__name__} {sqlstate or 'without SQLSTATE'}{place}"
        f"{': ' if advice else ''}{advice}"
    )


def _place(error: Exception) -> tuple[str, str]:
    """Return the file and line of the migration that an error comes from, and the file's text."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.parent == SCRIPTS / "versions":
            return f" in {path.name}, line {frame.lineno}", path.read_text(
                encoding="utf-8", errors="replace"
            )
    return "", ""


def main() -> int:
    """Migrate DATABASE_URL from a terminal, and print the result."""
    try:
        result: dict[str, Any] = {**handler({}, None)}
    except MigrationFailedError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.write(json.dumps(result) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
