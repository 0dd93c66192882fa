"""What one request costs: its time, the CPU time of the database's process and of the function's, its statements, its memory.

CPU times are the kernel's own count of nanoseconds on a core (`schedstat`). Statements are counted by the server (pg_stat_statements), in a
pass of its own, so that counting costs the other figures nothing.
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
    SELECT coalesce(sum(calls), 0)::int FROM pg_stat_statements JOIN pg_database ON pg_database.oid = dbid
    WHERE datname = %s AND query !~* '^\s*(BEGIN|START|COMMIT|END|ROLLBACK|SET|RESET|SHOW|DISCARD)\y'
"""
"""All statements but those of transactions and settings: neither reads nor writes a table."""


class Sample(NamedTuple):
    """Seconds; `server_cpu` is None where the function took another connection meanwhile."""

    wall: float
    server_cpu: float | None
    function_cpu: float


@dataclass
class Meter:
    """Measures what a process of the function, the only one on the database `name`, does for a request."""

    running: Postgres
    name: str
    pid: int
    _backend: int | None = field(default=None, init=False)

    def around(self, request: Callable[[], tuple[float, T]]) -> tuple[Sample, T]:
        """`request` gives its seconds and its answer."""
        server, function = self._server_cpu(), cpu_seconds(self.pid)
        wall, answer = request()
        function = cpu_seconds(self.pid) - function
        after = None if server is None else _cpu_or_none(self._backend)
        if after is None:
            self._backend = None
        return Sample(
            wall, None if server is None or after is None else after - server, function
        ), answer

    def statements(self, request: Callable[[], object]) -> int:
        """How many of a request's read or write tables. Within `counting`."""
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
                    "SELECT pid FROM pg_stat_activity WHERE datname = %s AND application_name = %s ORDER BY backend_start DESC LIMIT 1",
                    (self.name, SERVICE_NAME),
                )
                found = cursor.fetchone()
            self._backend = int(found[0]) if found else None
            seconds = _cpu_or_none(self._backend)
        return seconds


@dataclass
class Invoked(Meter):
    """Of an environment that events are handed to by the runtime client."""

    function: Environment

    def ask(self, event: Mapping[str, Any]) -> tuple[Sample, dict[str, Any]]:
        """Raises RuntimeError for an answer other than 200."""
        sample, answer = self.around(lambda: self.function.invoke(event))
        if answer.get("statusCode") != 200:
            raise RuntimeError(
                f"{event['rawPath']}?{event['rawQueryString']} answered {answer.get('statusCode')}: {answer.get('body')}"[
                    :600
                ]
            )
        return sample, answer


@contextmanager
def counting(running: Postgres) -> Generator[None]:
    _track(running, "top")
    try:
        yield
    finally:
        _track(running, "none")


def prepare(running: Postgres) -> None:
    """Statements are counted from now on, but within `counting` only."""
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
    """Of all threads of a process."""
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
    """Resident now, and the most since the start or `forget_peak`, in 10⁶ bytes."""
    lines = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    now, peak = (int(lines[name].split()[0]) * 1024 / 1e6 for name in ("VmRSS", "VmHWM"))
    return now, peak


def forget_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")
