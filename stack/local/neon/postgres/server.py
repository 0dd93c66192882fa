"""Runs one embedded PostgreSQL server per checkout, as a child of this process.

Clients log in by password only (SCRAM), over TCP on the loopback addresses.
"""

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

from common.environment import remove_libpq_variables
from common.errors import UserError
from stack.local.neon.postgres import cluster
from stack.local.neon.postgres.catalog import Catalog
from stack.local.neon.postgres.data_directory import (
    DataDirectory,
    find_data_directory,
    private_directory,
    remove,
)
from stack.local.system.ports import check_free, loopback, port_in_use
from stack.local.system.processes import Guard

SETTINGS = {
    "jit": "off",
    "io_method": "sync",  # no worker processes for the I/O of a small database
    "max_wal_size": "128MB",  # limits what a shutdown has to write and a recovery to replay
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}
PORT_ERROR = ("the local database", "start again: it gets another one")
"""What uses the port, and the advice, in the error for a port that is in use (see `check_free`)."""

READY_TIMEOUT_S = 120.0
"""Seconds until the server has to be ready, crash recovery included."""
STOP_TIMEOUT_S = 10.0
"""Seconds for each of the two kinds of shutdown (see `Postgres.stop`)."""


class Postgres(Catalog):
    """A PostgreSQL server. Its methods block, and may be called from any thread.

    home: the directory of its data and log. The data remain after `stop`, and may be elsewhere if
    this process is root (see data_directory.py).
    settings: server settings that replace or extend `SETTINGS`, for example `{"fsync": "off"}`.
    """

    def __init__(
        self, home: Path, guard: Guard, *, port: int, settings: Mapping[str, str] | None = None
    ) -> None:
        super().__init__()
        self.port = port
        self.notes: list[str] = []
        """Sentences on what the last start found: a leftover server, a missing system user."""
        self._home = home
        self._guard = guard
        self._settings = {**SETTINGS, **(settings or {})}
        self._start_stop_lock = threading.RLock()
        self._process: subprocess.Popen[bytes] | None = None
        self._password = ""

    @property
    def log_file(self) -> Path:
        """The log since the last start. The log before it has the suffix `.1`."""
        return self._home / "postgres.log"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def admin_url(self) -> str:
        """The superuser's URL, with the password."""
        return self.url(cluster.SUPERUSER, self._password, "postgres")

    def url(self, role: str, password: str, database: str) -> str:
        """Return a connection URL, percent-encoded."""
        user, secret, name = (quote(part, safe="") for part in (role, password, database))
        return f"postgresql://{user}:{secret}@localhost:{self.port}/{name}"

    @contextlib.contextmanager
    def admin(self, database: str = "postgres") -> Generator[connection]:
        """Yield a superuser's connection in autocommit mode, closed at the end."""
        remove_libpq_variables()
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
        """Start the server, and return when it accepts connections; do nothing if it runs.

        Creates the cluster if there is none, and recovers one that was not shut down. Raises
        UserError when the start fails (port in use, disk full, data of another major version),
        AbandonedError once `cancelled` is set.
        """
        with self._start_stop_lock:
            if self.running:
                return
            self._end_process()
            try:
                self._start(cancelled or threading.Event())
            except BaseException as error:
                self.stop()
                if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise UserError(
                        f"The disk of the local database ({self._home}) is full. Make room and try "
                        f"again."
                    ) from None
                raise

    def _start(self, cancelled: threading.Event) -> None:
        directory = find_data_directory(self._home)
        self.notes = [directory.user.reason] if directory.user and directory.user.reason else []
        self.notes += [
            f"Ended a Postgres (process {pid}) that still ran on the data."
            for pid in cluster.end_leftover_servers(directory.data)
        ]
        if not directory.cluster.exists():
            cluster.create(directory, self._guard, cancelled)
        self._password = cluster.check(directory)
        check_free(self.port, *PORT_ERROR)
        self._launch(directory)
        self._wait_until_ready(directory, cancelled)

    def stop(self) -> None:
        """Shut the server down; sessions are ended.

        First fast (SIGINT: with a checkpoint), then immediately (SIGQUIT), finally by SIGKILL. No
        committed transaction is lost: after the last two, the next start recovers from the WAL.
        """
        with self._start_stop_lock:
            if self._process is None:
                return
            for number in (signal.SIGINT, signal.SIGQUIT):
                if self._process.poll() is None:
                    self._process.send_signal(number)
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        self._process.wait(STOP_TIMEOUT_S)
            self._end_process()

    @staticmethod
    def remove(home: Path) -> None:
        """Delete all data of the server with this home; a server that still runs is ended first."""
        for root in (home, private_directory(home)):
            cluster.end_leftover_servers(root / "cluster" / "data")
        remove(home)

    def _end_process(self) -> None:
        """End the process if it still runs, and take it off the guard's list in any case."""
        if self._process is not None:
            self._guard.end(self._process)
            self._process = None

    def _launch(self, directory: DataDirectory) -> None:
        if self.log_file.exists():
            self.log_file.replace(self.log_file.with_name("postgres.log.1"))
        settings = {
            "listen_addresses": ",".join(loopback()),
            "unix_socket_directories": "",
            **self._settings,
        }
        command = [str(directory.programs / "postgres"), "-D", str(directory.data)]
        command += ["-p", str(self.port)]
        command += [f"--{name}={value}" for name, value in settings.items()]
        # Opened by this process, because the server's user may not be able to create files in
        # the home.
        log = os.open(self.log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self._process = self._guard.spawn(
                command,
                what="Postgres",
                stop=signal.SIGINT,
                cwd=directory.cluster,
                **cluster.popen_options(log, directory),
            )
        finally:
            os.close(log)

    def _wait_until_ready(self, directory: DataDirectory, cancelled: threading.Event) -> None:
        assert self._process is not None
        deadline = time.monotonic() + READY_TIMEOUT_S
        # The state is read from `postmaster.pid` and not asked for on the port: between
        # `check_free` and the server's bind, another server may have got the port. The file counts
        # only when it has our child's pid, because an older one may be left.
        while (
            (lines := cluster.read_pid_file(directory.data))[0] != str(self._process.pid)
            or len(lines) < 8
            or lines[7].strip() != "ready"
        ):
            if self._process.poll() is not None:
                raise self._start_error(directory)
            if time.monotonic() > deadline:
                raise UserError(
                    f"The local database was not ready within {READY_TIMEOUT_S:.0f} s. Its log: "
                    f"{self.log_file}"
                )
            cluster.wait_briefly(cancelled)
        try:
            with self.admin() as admin, admin.cursor() as cursor:
                cursor.execute("SHOW data_directory")
                row = cursor.fetchone()
        except psycopg2.OperationalError as error:
            raise UserError(
                f"The local database runs, but cannot be reached on port {self.port}: {error}"
            ) from None
        # Postgres starts if it could bind one of its addresses. On the other one, another server
        # may listen, and this connection may have reached it.
        if row is None or not directory.data.samefile(row[0]):
            raise port_in_use(self.port, *PORT_ERROR)

    def _start_error(self, directory: DataDirectory) -> UserError:
        """Return the error for a server that has ended instead of becoming ready."""
        log = self.log_file.read_text(encoding="utf-8", errors="replace")
        if "could not bind" in log:
            return port_in_use(self.port, *PORT_ERROR)
        return cluster.program_error(
            f"The local database did not start (log: {self.log_file})", log, directory.root
        )
