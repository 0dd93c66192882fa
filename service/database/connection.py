"""The database connection of an execution environment.

Lambda runs one request at a time in an execution environment, so one connection, used from one
thread, is enough. It goes through a pooler in transaction mode (PgBouncer), which may give every
transaction another server connection. So nothing is set per session: there are no startup options,
no prepared statements and no temporary state, and every setting is local to its transaction.

Three limits bound a statement. The server's statement_timeout ends a slow one. The watchdog shuts
the socket down when the request's deadline passes, also while the pooler or the network holds the
query back. Keepalives find a peer that is gone.
"""

import logging
import select
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from typing import IO, Any, TypeVar

import psycopg2
from psycopg2 import errors as pg
from psycopg2.extensions import TRANSACTION_STATUS_IDLE, connection, cursor

from service.database.watchdog import Watchdog
from service.deadline import deadline_exceeded, remaining
from service.errors import ConflictError, ServiceError, UnavailableError
from service.logs import log
from service.settings import SERVICE_NAME

T = TypeVar("T")
F = TypeVar("F", bound=IO[bytes])
Parameters = Mapping[str, Any]
Row = tuple[Any, ...]
Statements = cursor
"""Executes statements in an open transaction."""
Rows = Callable[[str, Parameters], list[Row]]
"""Executes a statement and returns its rows."""

CONNECT_SECONDS = 10
STATEMENT_SECONDS = 8.0
MAX_AGE_SECONDS = 270
"""Less than the 300 s after which Neon suspends an idle compute and closes its connections."""

# A function that Lambda ends in the middle of a write cannot roll back. The server does it after
# this timeout, so that its locks do not block others for longer.
_BEGIN_WRITE = "BEGIN;SET LOCAL idle_in_transaction_session_timeout = '30s';"
_BEGIN_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
_READ_ONLY = "SET LOCAL transaction_read_only = on;"

_PLANNER_SETTINGS = (
    "SET LOCAL jit = off;"
    "SET LOCAL max_parallel_workers_per_gather = 0;"
    "SET LOCAL random_page_cost = 1.1;"
)
"""No statement is long enough to repay compilation or parallel workers, and the data is in memory
or on flash storage."""

_SHUTDOWN_STATES = frozenset({"57P01", "57P02", "57P03"})
"""SQLSTATEs of a server that shuts down; class 08 has the other connection errors."""


class Database:
    """A connection that is opened by the first statement and replaced when it was lost.

    It is never opened at import: an execution environment can be restored from a snapshot, on
    another machine, where the socket would be invalid.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: connection | None = None
        self._connected_at = 0.0
        self._watchdog = Watchdog()

    def read(self, statement: str, parameters: Parameters) -> list[Row]:
        """Return the rows of one statement, in one round trip and a read-only transaction.

        It is executed once more when the connection was lost. Raises `UnavailableError` when the
        database cannot be reached or exceeds a limit.
        """
        return self._execute(_READ_ONLY, statement, parameters)[1]

    def snapshot(self, work: Callable[[Rows], T]) -> T:
        """Return the result of `work`, whose statements see one snapshot and cannot write.

        `work` is called once more when the connection was lost. Raises `UnavailableError` when the
        database cannot be reached or exceeds a limit.
        """
        return self._retry_when_lost(lambda: self._snapshot(work))

    def copy_out(self, statement: str, parameters: Parameters, new_file: Callable[[], F]) -> F:
        """Return a file of `new_file` that holds a query's rows as CSV with a header.

        The copy starts once more, with another file, when the connection was lost. Raises
        `UnavailableError` when the database cannot be reached or exceeds a limit.
        """
        return self._retry_when_lost(lambda: self._copy_out(statement, parameters, new_file()))

    def write(self, work: Callable[[cursor], T]) -> T:
        """Return the result of `work`, which runs in one transaction that is committed here.

        `work` is called once more when the database aborted the transaction to end a deadlock, so
        it must be repeatable. Raises `ConflictError` when that happens twice, and
        `UnavailableError` when the database cannot be reached or exceeds a limit.
        """
        try:
            return self._transaction(work)
        except ConflictError:
            return self._transaction(work)

    def close(self) -> None:
        if self._connection is not None:
            with suppress(psycopg2.Error):
                self._connection.close()
            self._connection = None

    def _execute(
        self, mode: str, statement: str, parameters: Parameters | None
    ) -> tuple[connection, list[Row]]:
        """Send the settings and the statement in one message: one round trip."""

        def attempt() -> tuple[connection, list[Row]]:
            current = self._usable_connection()
            with self._bounded(current), current.cursor() as statements:
                # Several statements in one simple query are one implicit transaction, unless they
                # contain BEGIN. That is why SET LOCAL works here without a BEGIN.
                statements.execute(mode + _transaction_settings() + statement, parameters)
                return current, statements.fetchall() if statements.description else []

        return self._retry_when_lost(attempt)

    def _retry_when_lost(self, attempt: Callable[[], T]) -> T:
        """Return the result of `attempt`, which is called once more when the connection was lost.

        Only for attempts that have no effect when they fail: reads, and BEGIN.
        """
        for is_last in (False, True):
            try:
                return attempt()
            except psycopg2.Error as error:
                if is_last or not self._was_lost(error):
                    raise self._translated(error, "Try again.") from error
            self.close()
        raise AssertionError("unreachable")

    def _snapshot(self, work: Callable[[Rows], T]) -> T:
        current = self._usable_connection()
        begin = _BEGIN_SNAPSHOT + _transaction_settings()

        def rows(statement: str, parameters: Parameters) -> list[Row]:
            # The first statement carries BEGIN and the settings, which saves a round trip.
            nonlocal begin
            statement, begin = begin + statement, ""
            statements.execute(statement, parameters)
            return statements.fetchall()

        try:
            with self._bounded(current), current.cursor() as statements:
                return work(rows)
        finally:
            self._end_transaction(current)

    def _copy_out(self, statement: str, parameters: Parameters, file: F) -> F:
        current, _ = self._execute(_BEGIN_SNAPSHOT, "", None)
        try:
            with self._bounded(current), current.cursor() as statements:
                query = statements.mogrify(statement, parameters).decode()
                statements.copy_expert(f"COPY ({query}) TO STDOUT WITH (FORMAT csv, HEADER)", file)
                return file
        finally:
            self._end_transaction(current)

    def _transaction(self, work: Callable[[cursor], T]) -> T:
        current, _ = self._execute(_BEGIN_WRITE, "", None)
        outcome = "Nothing was written. Try again."
        try:
            with self._bounded(current), current.cursor() as statements:
                result = work(statements)
                # From here on a lost connection says nothing about the transaction: the server
                # may have committed without its reply arriving. So it is not repeated.
                outcome = (
                    "The write may or may not have been done: check, or try again if it can be "
                    "repeated."
                )
                statements.execute("COMMIT")
                # COMMIT of a failed transaction succeeds, as a ROLLBACK, without an error.
                if statements.statusmessage != "COMMIT":
                    raise AssertionError("work continued after an error of the database")
                return result
        except psycopg2.Error as error:
            raise self._translated(error, outcome) from error
        finally:
            self._end_transaction(current)

    def _end_transaction(self, current: connection) -> None:
        """Roll back a transaction that is still open; close a connection that cannot do that."""
        try:
            if not current.closed and current.get_transaction_status() != TRANSACTION_STATUS_IDLE:
                with self._bounded(current), current.cursor() as statements:
                    statements.execute("ROLLBACK")
        except (psycopg2.Error, ServiceError):
            self.close()

    def _usable_connection(self) -> connection:
        """Return the connection, or a new one. The check takes no round trip."""
        current = self._connection
        if current is not None:
            # time.time also counts while Lambda freezes the environment, where a monotonic clock
            # can stop. The difference is negative after the clock was set back.
            is_young = 0 <= time.time() - self._connected_at < MAX_AGE_SECONDS
            # An idle server sends nothing, except when it closes the connection: input that is
            # waiting is an error message or the end of the stream.
            if (
                is_young
                and not current.closed
                and current.get_transaction_status() == TRANSACTION_STATUS_IDLE
                and not _has_input(current)
            ):
                return current
            self.close()
        self._connection = self._connect()
        self._connected_at = time.time()
        return self._connection

    def _connect(self) -> connection:
        if not self._url:
            raise UnavailableError("This service has no database: set DATABASE_URL.")
        seconds = min(CONNECT_SECONDS, remaining())
        if seconds <= 0:
            raise deadline_exceeded()
        try:
            opened = psycopg2.connect(
                self._url,
                application_name=SERVICE_NAME,
                connect_timeout=max(2, int(seconds)),  # 0 is no limit, and libpq takes 1 as 2
                keepalives=1,
                keepalives_idle=30,
                keepalives_interval=5,
                keepalives_count=3,
            )
        except psycopg2.OperationalError as error:
            log(
                "the database cannot be reached",
                level=logging.ERROR,
                kind=type(error).__name__,
                reason=str(error).strip(),
            )
            raise UnavailableError(
                "The database cannot be reached. Try again in a few seconds."
            ) from error
        except psycopg2.ProgrammingError:  # its message would quote the URL
            log("DATABASE_URL is not a PostgreSQL URL", level=logging.ERROR)
            raise UnavailableError(
                "The service's database is not configured correctly. The log has the reason."
            ) from None
        # Statements open and end transactions themselves, which takes fewer round trips.
        opened.autocommit = True
        return opened

    def _was_lost(self, error: psycopg2.Error) -> bool:
        """Return whether the connection was lost, and not by the watchdog.

        A connection that breaks often has no SQLSTATE; then psycopg2 marks it as closed.
        """
        state = error.pgcode or ""
        lost = (
            self._connection is None
            or bool(self._connection.closed)
            or state in _SHUTDOWN_STATES
            or state.startswith("08")
        )
        return lost and not self._watchdog.expired

    @contextmanager
    def _bounded(self, current: connection) -> Generator[None]:
        """Shut the connection down when the request's deadline passes inside the block."""
        seconds = remaining()
        if seconds <= 0:
            raise deadline_exceeded()
        with self._watchdog.watch(current.fileno(), seconds):
            yield

    def _translated(self, error: psycopg2.Error, outcome: str) -> Exception:
        expired = self._watchdog.expired
        translated = deadline_exceeded() if expired else _client_error(error, outcome)
        if isinstance(translated, ServiceError):
            log(
                "a database operation failed",
                level=logging.WARNING,
                kind=type(error).__name__,
                sqlstate=error.pgcode,
            )
        return translated


def _transaction_settings() -> str:
    milliseconds = max(1, int(min(STATEMENT_SECONDS, remaining()) * 1000))
    return f"{_PLANNER_SETTINGS}SET LOCAL statement_timeout = {milliseconds};"


def _has_input(current: connection) -> bool:
    poll = select.poll()
    poll.register(current.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _client_error(error: psycopg2.Error, outcome: str) -> Exception:
    """Return the error for clients; an error in a statement is returned as it is.

    outcome: what a lost connection means for the write, and what the client should do.
    """
    if isinstance(error, (pg.DeadlockDetected, pg.SerializationFailure)):
        return ConflictError("Another request changed the same data at the same time. Try again.")
    if isinstance(error, pg.QueryCanceled):
        return UnavailableError(
            f"The database took longer than {STATEMENT_SECONDS:.0f} seconds. "
            "Request less at once, or try again."
        )
    if isinstance(error, (psycopg2.OperationalError, psycopg2.InterfaceError)):
        return UnavailableError(f"The connection to the database was lost. {outcome}")
    return error
