"""One embedded PostgreSQL server for a checkout, as a child of this process, with password login only."""

import contextlib
import errno
import os
import signal
import subprocess
import threading
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from urllib.parse import quote

import psycopg2
from psycopg2.extensions import connection

from common.errors import UserError
from stack.local.neon.postgres import cluster
from stack.local.neon.postgres.catalog import Catalog
from stack.local.neon.postgres.data_directory import (
    DataDirectory,
    find_data_directory,
    private,
    remove,
)
from stack.local.system.ports import check_free, loopback, taken
from stack.local.system.processes import Guard

SETTINGS = {
    "jit": "off",
    "io_method": "sync",  # no processes for what a small database does not need
    "max_wal_size": "128MB",  # bounds what a shutdown has to write and a recovery to replay
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}
TAKEN = ("the local database", "start again: it gets another one")
READY_S = 120.0
"""How long the server may take to answer, crash recovery included."""
STOP_S = 10.0


class Postgres(Catalog):
    """A server whose data lies in `home`, or where `place` says, and outlives it. Blocking; for threads.

    `settings` are server settings on top of `SETTINGS`, such as `{"fsync": "off"}` for tests.
    """

    def __init__(
        self, home: Path, guard: Guard, *, port: int, settings: Mapping[str, str] | None = None
    ) -> None:
        super().__init__()
        self.port = port
        self.notes: list[str] = []
        """Sentences on what the last start met: a server left over, a system user that could not be made."""
        self._home = home
        self._guard = guard
        self._settings = {**SETTINGS, **(settings or {})}
        self._life = threading.RLock()
        self._process: subprocess.Popen[bytes] | None = None
        self._password = ""

    @property
    def log_file(self) -> Path:
        """The log since the last start; the one before has `.1` at its end."""
        return self._home / "postgres.log"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def admin_url(self) -> str:
        return self.url(cluster.SUPERUSER, self._password, "postgres")

    def url(self, role: str, password: str, database: str) -> str:
        user, secret, name = (quote(part, safe="") for part in (role, password, database))
        return f"postgresql://{user}:{secret}@localhost:{self.port}/{name}"

    @contextlib.contextmanager
    def admin(self, database: str = "postgres") -> Generator[connection]:
        """A superuser's connection in autocommit mode, closed at the end."""
        link = psycopg2.connect(
            host="127.0.0.1",
            port=self.port,
            user=cluster.SUPERUSER,
            password=self._password,
            dbname=database,
            connect_timeout=10,
        )
        try:
            link.autocommit = True
            yield link
        finally:
            link.close()

    def start(self, cancelled: threading.Event | None = None) -> None:
        """Returns when the server answers; makes the data directory first where there is none, recovers it where it was not shut down.

        Raises UserError when it cannot (port taken, disk full, data of another major version), AbandonedError once `cancelled` is set.
        """
        with self._life:
            if self.running:
                return
            self._settle()
            try:
                self._start(cancelled or threading.Event())
            except BaseException as error:
                self.stop()
                if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise UserError(
                        f"The disk of the local database ({self._home}) is full. Make room and try again."
                    ) from None
                raise

    def _start(self, cancelled: threading.Event) -> None:
        place = find_data_directory(self._home)
        self.notes = [place.user.reason] if place.user and place.user.reason else []
        self.notes += [
            f"Ended a Postgres (process {pid}) that still ran on the data."
            for pid in cluster.end_holders(place.data)
        ]
        if not place.cluster.exists():
            cluster.make(place, self._guard, cancelled)
        self._password = cluster.check(place)
        check_free(self.port, *TAKEN)
        self._launch(place)
        self._wait_until_ready(place, cancelled)

    def stop(self) -> None:
        """Ends sessions and shuts the server down; where that takes too long nothing is lost either, the next start recovers."""
        with self._life:
            if self._process is None:
                return
            for number in (signal.SIGINT, signal.SIGQUIT):
                if self._process.poll() is None:
                    self._process.send_signal(number)
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        self._process.wait(STOP_S)
            self._settle()

    @staticmethod
    def remove(home: Path) -> None:
        """Deletes the data, what lies below `/var/lib` included; a server that still runs on it is stopped first."""
        for root in (home, private(home)):
            cluster.end_holders(root / "cluster" / "data")
        remove(home)

    def _settle(self) -> None:
        if self._process is not None:
            self._guard.end(self._process)
            self._process = None

    def _launch(self, place: DataDirectory) -> None:
        if self.log_file.exists():
            self.log_file.replace(self.log_file.with_name("postgres.log.1"))
        settings = {
            "listen_addresses": ",".join(loopback()),
            "unix_socket_directories": "",
            **self._settings,
        }
        command = [str(place.programs / "postgres"), "-D", str(place.data), "-p", str(self.port)]
        command += [f"--{name}={value}" for name, value in settings.items()]
        log = os.open(self.log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self._process = self._guard.spawn(
                command,
                what="Postgres",
                stop=signal.SIGINT,
                cwd=place.cluster,
                **cluster.output(log, place),
            )
        finally:
            os.close(log)

    def _wait_until_ready(self, place: DataDirectory, cancelled: threading.Event) -> None:
        """Ready is what our own child says of itself in `postmaster.pid`: another server may answer on the port."""
        assert self._process is not None
        deadline = time.monotonic() + READY_S
        while (
            (lines := cluster.pid_file(place.data))[0] != str(self._process.pid)
            or len(lines) < 8
            or lines[7].strip() != "ready"
        ):
            if self._process.poll() is not None:
                raise self._failure(place)
            if time.monotonic() > deadline:
                raise UserError(
                    f"The local database did not answer within {READY_S:.0f} s. Its log: {self.log_file}"
                )
            cluster.pause(cancelled)
        try:
            with self.admin() as admin, admin.cursor() as cursor:
                cursor.execute("SHOW data_directory")
                row = cursor.fetchone()
        except psycopg2.OperationalError as error:
            raise UserError(
                f"The local database runs, but cannot be reached on port {self.port}: {error}"
            ) from None
        if row is None or not place.data.samefile(row[0]):
            raise taken(self.port, *TAKEN)

    def _failure(self, place: DataDirectory) -> UserError:
        said = self.log_file.read_text(encoding="utf-8", errors="replace")
        if "could not bind" in said:
            return taken(self.port, *TAKEN)
        return cluster.explain(
            f"The local database did not start (log: {self.log_file})", said, place.root
        )
