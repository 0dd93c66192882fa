"""The database connection of one execution environment.

Lambda runs one request at a time in an environment, so there is one connection, used from one thread. It goes through a pooler in
transaction mode: no startup options, no session state, every setting is local to its transaction.
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
from service.deadline import out_of_time, remaining
from service.errors import ConflictError, ServiceError, UnavailableError
from service.logs import log
from service.settings import SERVICE_NAME

T = TypeVar("T")
F = TypeVar("F", bound=IO[bytes])
Parameters = Mapping[str, Any]
Row = tuple[Any, ...]
Statements = cursor
"""Runs statements in a transaction that is under way."""
Rows = Callable[[str, Parameters], list[Row]]
"""Runs a statement; its rows."""

CONNECT_SECONDS = 10
STATEMENT_SECONDS = 8.0
MAX_AGE_SECONDS = 270
"""Below the 300 s after which an idle Neon compute goes to sleep and takes its connections with it."""

_WRITE = "BEGIN;SET LOCAL idle_in_transaction_session_timeout = '30s';"  # a function that was ended half-way holds no lock for longer
_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"

_GONE = frozenset({"57P01", "57P02", "57P03"})
"""SQLSTATEs of a server that went away, beside class 08. psycopg2 often reports none: see `_died`."""


class Database:
    """Connects at first use, never at import: a restored snapshot must not hold a socket of another machine."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: connection | None = None
        self._since = 0.0
        self._watchdog = Watchdog()

    def read(self, statement: str, parameters: Parameters) -> list[Row]:
        """The rows of one statement, in one round trip and a transaction of its own that cannot write.

        Runs again, once, when the connection died. Raises `UnavailableError` when the database cannot answer in time.
        """
        return self._on_live_connection(
            "SET LOCAL transaction_read_only = on;", statement, parameters
        )[1]

    def snapshot(self, work: Callable[[Rows], T]) -> T:
        """The result of `work`, all of whose statements see the data of one moment, and cannot write.

        `work` runs again, once, when the connection died. Raises `UnavailableError` when the database cannot answer in time.
        """
        return self._repeatable(lambda: self._snapshot(work))

    def copy_out(self, statement: str, parameters: Parameters, new_file: Callable[[], F]) -> F:
        """One of `new_file`, with the rows of a query as CSV below a header.

        Begins again, once and with another file, when the connection died. Raises `UnavailableError` when the database cannot answer in
        time.
        """
        return self._repeatable(lambda: self._copy_out(statement, parameters, new_file()))

    def write(self, work: Callable[[cursor], T]) -> T:
        """The result of `work` in one transaction, committed here: all of it or nothing.

        `work` runs again, once, when the database gave it up to end a deadlock; so it must be repeatable. Raises `ConflictError` when
        that happens again, and `UnavailableError` when the database cannot answer in time.
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

    def _on_live_connection(
        self, mode: str, statement: str, parameters: Parameters | None
    ) -> tuple[connection, list[Row]]:
        """Sends settings and statement at once."""

        def attempt() -> tuple[connection, list[Row]]:
            current = self._usable()
            with self._watched(current), current.cursor() as statements:
                statements.execute(mode + _limits() + statement, parameters)
                return current, statements.fetchall() if statements.description else []

        return self._repeatable(attempt)

    def _repeatable(self, attempt: Callable[[], T]) -> T:
        """The result of `attempt`, which has no effect yet when it fails: it is made again, once, when the connection died."""
        for last in (False, True):
            try:
                return attempt()
            except psycopg2.Error as error:
                if last or not self._died(error):
                    raise self._translated(error, "Try again.") from error
            self.close()
        raise AssertionError("unreachable")

    def _snapshot(self, work: Callable[[Rows], T]) -> T:
        current = self._usable()
        begin = _SNAPSHOT + _limits()

        def rows(statement: str, parameters: Parameters) -> list[Row]:
            nonlocal begin
            statement, begin = begin + statement, ""
            statements.execute(statement, parameters)
            return statements.fetchall()

        try:
            with self._watched(current), current.cursor() as statements:
                return work(rows)
        finally:
            self._leave(current)

    def _copy_out(self, statement: str, parameters: Parameters, file: F) -> F:
        current, _ = self._on_live_connection(_SNAPSHOT, "", None)
        try:
            with self._watched(current), current.cursor() as statements:
                query = statements.mogrify(statement, parameters).decode()
                statements.copy_expert(f"COPY ({query}) TO STDOUT WITH (FORMAT csv, HEADER)", file)
                return file
        finally:
            self._leave(current)

    def _transaction(self, work: Callable[[cursor], T]) -> T:
        current, _ = self._on_live_connection(_WRITE, "", None)
        left = "Nothing was written. Try again."
        try:
            with self._watched(current), current.cursor() as statements:
                result = work(statements)
                left = "The write may or may not have been done: look, or try again if it can be repeated."
                statements.execute("COMMIT")
                if statements.statusmessage != "COMMIT":
                    raise AssertionError("work went on after an error of the database")
                return result
        except psycopg2.Error as error:
            raise self._translated(error, left) from error
        finally:
            self._leave(current)

    def _leave(self, current: connection) -> None:
        """Ends a transaction that is still open. A connection that cannot even do that is not used again."""
        try:
            if not current.closed and current.get_transaction_status() != TRANSACTION_STATUS_IDLE:
                with self._watched(current), current.cursor() as statements:
                    statements.execute("ROLLBACK")
        except (psycopg2.Error, ServiceError):
            self.close()

    def _usable(self) -> connection:
        """The connection, checked without a round trip: an idle server has nothing to say but goodbye."""
        current = self._connection
        if current is not None:
            young = (
                0 <= time.time() - self._since < MAX_AGE_SECONDS
            )  # by the wall clock, which goes on while Lambda freezes us
            if (
                young
                and not current.closed
                and current.get_transaction_status() == TRANSACTION_STATUS_IDLE
                and not _readable(current)
            ):
                return current
            self.close()
        self._connection = self._connect()
        self._since = time.time()
        return self._connection

    def _connect(self) -> connection:
        if not self._url:
            raise UnavailableError("This service has no database: set DATABASE_URL.")
        seconds = min(CONNECT_SECONDS, remaining())
        if seconds <= 0:
            raise out_of_time()
        try:
            opened = psycopg2.connect(
                self._url,
                application_name=SERVICE_NAME,
                connect_timeout=max(2, int(seconds)),
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
                "The database cannot be reached at the moment. Try again in a few seconds."
            ) from error
        except psycopg2.ProgrammingError:  # its message would quote the URL
            log("DATABASE_URL is not a PostgreSQL URL", level=logging.ERROR)
            raise UnavailableError(
                "The service's database is not set up right. The operator finds the reason in the log."
            ) from None
        opened.autocommit = (
            True  # our own statements open and end transactions, in fewer round trips
        )
        return opened

    def _died(self, error: psycopg2.Error) -> bool:
        """Whether the connection went away under the statement. Its state tells, because there is often no SQLSTATE."""
        state = error.pgcode or ""
        lost = (
            self._connection is None
            or bool(self._connection.closed)
            or state in _GONE
            or state.startswith("08")
        )
        return lost and not self._watchdog.cut

    @contextmanager
    def _watched(self, current: connection) -> Generator[None]:
        """Bounds what runs inside by the deadline, also while a pooler holds it in its queue."""
        seconds = remaining()
        if seconds <= 0:
            raise out_of_time()
        with self._watchdog.watch(current.fileno(), seconds):
            yield

    def _translated(self, error: psycopg2.Error, left: str) -> Exception:
        translated = out_of_time() if self._watchdog.cut else _meaning(error, left)
        if isinstance(translated, ServiceError):
            log(
                "the database could not do it",
                level=logging.WARNING,
                kind=type(error).__name__,
                sqlstate=error.pgcode,
            )
        return translated


_PLANNING = "SET LOCAL jit = off;SET LOCAL max_parallel_workers_per_gather = 0;SET LOCAL random_page_cost = 1.1;"
"""No statement here runs long enough for compiled code or helpers to pay, and what is asked for lies in memory or on flash."""


def _limits() -> str:
    """Settings of one transaction."""
    milliseconds = max(1, int(min(STATEMENT_SECONDS, remaining()) * 1000))
    return f"{_PLANNING}SET LOCAL statement_timeout = {milliseconds};"


def _readable(current: connection) -> bool:
    poll = select.poll()
    poll.register(current.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _meaning(error: psycopg2.Error, left: str) -> Exception:
    """For clients, with what the trouble has `left`; what is none of the database's own stays as it is, and is a fault of ours."""
    if isinstance(error, (pg.DeadlockDetected, pg.SerializationFailure)):
        return ConflictError("Another request changed the same data at the same time. Try again.")
    if isinstance(error, pg.QueryCanceled):
        return UnavailableError(
            f"The database took longer than {STATEMENT_SECONDS:.0f} seconds. Ask for less at once, or try again."
        )
    if isinstance(error, (psycopg2.OperationalError, psycopg2.InterfaceError)):
        return UnavailableError(f"The database went away during the request. {left}")
    return error
