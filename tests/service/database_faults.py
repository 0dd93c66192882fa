"""Faults of the database: terminated backends, locked tables, a broken network."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import psycopg2
from psycopg2.extensions import connection

from tests.service.lambda_api import Response

BACKENDS = (
    "FROM pg_stat_activity WHERE datname = current_database()"
    " AND application_name = 'ai-success-insights'"
)


def run(sql: connection, statement: str) -> list[Any]:
    with sql.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def backends(sql: connection) -> list[int]:
    return [pid for (pid,) in run(sql, f"SELECT pid {BACKENDS}")]


def terminate(sql: connection) -> int:
    """Terminate the function's backends, as a suspended compute or an administrator does."""
    return len(run(sql, f"SELECT pg_terminate_backend(pid, 5000) {BACKENDS}"))


def assert_unavailable(response: Response) -> None:
    assert (response.status, response.headers["content-type"]) == (503, "application/problem+json")
    assert int(response.headers["retry-after"]) >= 1
    assert response.json["detail"]


@contextlib.contextmanager
def locked(url: str, table: str = "accounts") -> Iterator[connection]:
    """Lock a table: other transactions can neither read nor write it inside the block."""
    with contextlib.closing(psycopg2.connect(url)) as holder:
        run(holder, f"LOCK TABLE {table}")
        yield holder
        holder.rollback()


def in_thread(call: Callable[[], Any]) -> threading.Thread:
    thread = threading.Thread(target=call)
    thread.start()
    return thread


def until_waiting(sql: connection, environments: int = 1) -> None:
    """Wait until so many environments wait for a lock."""
    deadline = time.monotonic() + 30
    while len(run(sql, f"SELECT pid {BACKENDS} AND wait_event_type = 'Lock'")) < environments:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def with_part(url: str, **parts: Any) -> str:
    """Return the URL with another port, password or database."""
    old = urlsplit(url)
    password, port = parts.get("password", old.password), parts.get("port", old.port)
    database = parts.get("database", old.path[1:])
    return f"postgresql://{old.username}:{password}@localhost:{port}/{database}"


class Relay:
    """A TCP relay between the function and the database.

    It connects after `delay` seconds, and drops all bytes while `silent` is set.
    """

    def __init__(self, url: str, delay: float = 0) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._target = (urlsplit(url).hostname or "", urlsplit(url).port or 0)
        self.delay = delay
        self._open: list[socket.socket] = [self._server]
        self._closed = False
        self.silent = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return self._server.getsockname()[1]

    def passes(self, data: bytes) -> bool:
        """Return whether to forward these bytes; otherwise the connection is closed."""
        return True

    def close(self) -> None:
        self._closed = True
        for opened in self._open:
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
            opened.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._server.accept()
                self._open.append(near)
                threading.Thread(target=self._connect, args=(near,), daemon=True).start()

    def _connect(self, near: socket.socket) -> None:
        time.sleep(self.delay)
        with contextlib.suppress(OSError):
            far = socket.create_connection(self._target)
            self._open.append(far)
            if self._closed:
                far.close()
                return
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=(source, sink), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while (data := source.recv(65536)) and self.passes(data):
                if not self.silent.is_set():
                    sink.sendall(data)
        for side in (source, sink):
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
