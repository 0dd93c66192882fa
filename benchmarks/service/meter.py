"""Measures one request: time, CPU time of database and function, statements, memory.

CPU times are the kernel's count of nanoseconds on a core (`schedstat`). The server counts
statements (pg_stat_statements) in a separate pass, so that counting does not change the other
figures.
"""

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from benchmarks.runtime import Environment
from service.settings import SERVICE_NAME
from stack.local.neon.postgres.server import Postgres

T = TypeVar("T")

COUNTED = r"""
    SELECT coalesce(sum(calls), 0)::int
    FROM pg_stat_statements JOIN pg_database ON pg_database.oid = dbid
    WHERE datname = %s
        AND query !~* '^\s*(BEGIN|START|COMMIT|END|ROLLBACK|SET|RESET|SHOW|DISCARD)\y'
"""
"""Counts statements other than transaction control and settings."""


class Sample(NamedTuple):
    """Seconds. `server_cpu` is None when the function opened another connection meanwhile."""

    wall: float
    server_cpu: float | None
    function_cpu: float


@dataclass
class Meter:
    """Measures a process of the function that is the only client of the database `name`."""

    running: Postgres
    name: str
    pid: int
    _backend: int | None = field(default=None, init=False)

    def around(self, request: Callable[[], tuple[float, T]]) -> tuple[Sample, T]:
        """Runs `request`, which returns its seconds and its response."""
        server, function = self._server_cpu(), cpu_seconds(self.pid)
        wall, response = request()
        function = cpu_seconds(self.pid) - function
        after = None if server is None else _cpu_or_none(self._backend)
        if after is None:
            self._backend = None
        return Sample(
            wall, None if server is None or after is None else after - server, function
        ), response

    def statements(self, request: Callable[[], object]) -> int:
        """Returns how many statements of a request read or write tables. Only within `counting`."""
        with self.running.admin() as admin, admin.cursor() as cursor:
            cursor.execute("SELECT pg_stat_statements_reset()")
            request()
            cursor.execute(COUNTED, (self.name,))
            (count,) = cursor.fetchone() or (0,)
        return int(count)

    def _server_cpu(self) -> float | None:
        seconds = _cpu_or_none(self._backend)
        if seconds is None:
            with self.running.admin() as admin, admin.cursor() as cursor:
                cursor.execute(
                    "SELECT pid FROM pg_stat_activity WHERE datname = %s AND "
                    "application_name = %s ORDER BY backend_start DESC LIMIT 1",
                    (self.name, SERVICE_NAME),
                )
                found = cursor.fetchone()
            self._backend = int(found[0]) if found else None
            seconds = _cpu_or_none(self._backend)
        return seconds


@dataclass
class Invoked(Meter):
    """A meter of an execution environment that is invoked through the Runtime API."""

    function: Environment

    def ask(self, event: Mapping[str, Any]) -> tuple[Sample, dict[str, Any]]:
        """Invokes the function. Raises RuntimeError for a status other than 200."""
        sample, response = self.around(lambda: self.function.invoke(event))
        if response.get("statusCode") != 200:
            raise RuntimeError(
                f"{event['rawPath']}?{event['rawQueryString']} returned "
                f"{response.get('statusCode')}: {response.get('body')}"[:600]
            )
        return sample, response


@contextmanager
def counting(running: Postgres) -> Generator[None]:
    _track(running, "top")
    try:
        yield
    finally:
        _track(running, "none")


def prepare(running: Postgres) -> None:
    """Loads the statement counter, switched off outside of `counting`."""
    with running.admin() as admin, admin.cursor() as cursor:
        cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    _track(running, "none")


def _track(running: Postgres, which: str) -> None:
    with running.admin() as admin, admin.cursor() as cursor:
        cursor.execute(f"ALTER SYSTEM SET pg_stat_statements.track = '{which}'")
        cursor.execute("SELECT pg_reload_conf()")
    time.sleep(
        0.3
    )  # sessions take it over at their next statement, once the signal has reached them


def cpu_seconds(pid: int) -> float:
    """Returns the CPU seconds of all threads of a process."""
    total = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has just ended
            total += int((thread / "schedstat").read_text().split()[0])
    return total / 1e9


def _cpu_or_none(pid: int | None) -> float | None:
    if pid is None:
        return None
    with suppress(FileNotFoundError, ProcessLookupError):
        return cpu_seconds(pid)
    return None


def memory_mb(pid: int) -> tuple[float, float]:
    """Returns resident memory, and its peak since the start or `forget_peak`, in 10⁶ bytes."""
    lines = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    now, peak = (int(lines[name].split()[0]) * 1024 / 1e6 for name in ("VmRSS", "VmHWM"))
    return now, peak


def forget_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")
