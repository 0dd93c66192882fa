"""Creates, checks and frees the database cluster in a data directory.

Cluster is PostgreSQL's term for the databases of one server. Called by `Postgres` (server.py).
"""

import contextlib
import os
import secrets
import shutil
import signal
import threading
from pathlib import Path
from typing import Any

import psutil

from common.errors import UserError
from stack.local.neon.postgres.data_directory import DataDirectory, version
from stack.local.system.files import write_private
from stack.local.system.processes import AbandonedError, Guard

SUPERUSER = "postgres"
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
SIGNAL_TIMEOUT_S = 2.0
"""Seconds that a leftover server may take to end before it gets the next signal."""
POLL_S = 0.005


def create(directory: DataDirectory, guard: Guard, cancelled: threading.Event) -> None:
    """Create the cluster with a random superuser password.

    Raises UserError when `initdb` fails, AbandonedError once `cancelled` is set.
    """
    # Created under a temporary name and renamed at the end: a creation that was interrupted leaves
    # no directory `cluster` that a later start would take for a complete one.
    for leftover in directory.root.glob("cluster.*"):
        shutil.rmtree(leftover)
    staging = directory.root / f"cluster.{secrets.token_hex(4)}"
    new = DataDirectory(root=staging, programs=directory.programs, user=directory.user)
    try:
        new.data.mkdir(parents=True)
        for path, mode in ((staging, 0o711), (new.cluster, 0o711), (new.data, 0o700)):
            path.chmod(mode)
        write_private(new.password, secrets.token_urlsafe(32), sync=False)
        # initdb runs as the server's user and reads the password; afterwards only the user of
        # this process may.
        if directory.user is not None:
            for path in (new.data, new.password):
                os.chown(path, directory.user.uid, directory.user.gid)
        _run_initdb(new, guard, cancelled)
        if directory.user is not None:
            os.chown(new.password, os.geteuid(), os.getegid())
        new.cluster.rename(directory.cluster)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _run_initdb(directory: DataDirectory, guard: Guard, cancelled: threading.Event) -> None:
    output = ""
    # The second locale is for systems that lack the first. The order of texts is the same with
    # both: it comes from the built-in provider, not from the system's locale.
    for locale in ("C.UTF-8", "C"):
        command = [
            str(directory.programs / "initdb"),
            "-D",
            str(directory.data),
            "-U",
            SUPERUSER,
            f"--pwfile={directory.password}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            f"--locale={locale}",
            "--no-sync",
            "--no-instructions",
        ]
        with (directory.root / "initdb.log").open("w+b") as log:
            process = guard.spawn(
                command,
                what="initdb",
                cwd=directory.cluster,
                **popen_options(log.fileno(), directory),
            )
            try:
                while process.poll() is None:
                    wait_briefly(cancelled)
            finally:
                guard.end(process)
            log.seek(0)
            output = log.read().decode(errors="replace")
        if process.returncode == 0:
            return
        if "invalid locale name" not in output:
            break
    raise program_error("The local database could not be created", output, directory.root.parent)


def popen_options(log: int, directory: DataDirectory) -> dict[str, Any]:
    """Return the `Popen` arguments of the server's programs: output, environment and user.

    log: file descriptor for standard output and error.
    """
    return {
        "stdout": log,
        "stderr": log,
        "env": ENVIRONMENT,
        **(directory.user.popen() if directory.user else {}),
    }


def wait_briefly(cancelled: threading.Event) -> None:
    """Wait between two polls; raise AbandonedError once `cancelled` is set."""
    if cancelled.wait(POLL_S):
        raise AbandonedError("the start of the local database was cancelled")


def check(directory: DataDirectory) -> str:
    """Check that this server can run on the data, and return the superuser's password.

    Raises UserError for data that is damaged, another user's, or of another major version.
    """
    try:
        found = (directory.data / "PG_VERSION").read_text(encoding="ascii").strip()
        password = directory.password.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise UserError(
            f"The local database is damaged, {error.filename} is missing: `stack reset` deletes "
            f"it, the next `up` creates a new one."
        ) from None
    except PermissionError as error:
        raise UserError(
            f"{error.filename} belongs to another user, who started the stack before. Start it or "
            f"`stack reset` it as that user."
        ) from None
    expected = version().partition(".")[0]
    if found != expected:
        raise UserError(
            f"The local database in {directory.data} is of PostgreSQL {found}, this checkout has "
            f"{expected}, which does not read it. `stack reset` deletes it, the next `up` creates "
            f"a new one; to keep the data, dump it first with the version that created it."
        )
    return password


def program_error(what: str, output: str, path: Path) -> UserError:
    """Return the error for a program of the server that failed with this output.

    path: a directory on the disk that the program writes to, named if that disk is full.
    """
    if "No space left on device" in output:
        return UserError(f"{what}: the disk that holds {path} is full. Make room and try again.")
    return UserError(f"{what}: " + "\n".join(output.strip().splitlines()[-8:]))


def end_leftover_servers(data: Path) -> list[int]:
    """End servers that still run on the data, and remove their `postmaster.pid`.

    Returns the pids of the servers that were ended. Raises UserError for another user's server.

    A supervisor and its guard that were both killed leave a server. Postgres itself only checks
    whether a process of its user has the file's pid: after a crash this may be any process, and
    Postgres would refuse to start.
    """
    file = data / "postmaster.pid"
    ended: list[int] = []
    try:
        if not file.exists():
            return ended
    except PermissionError:  # another user's data: `check` raises the error
        return ended
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        processes = _processes_on(data)
        servers = [process for process in processes if str(process.pid) == read_pid_file(data)[0]]
        ended += [server.pid for server in servers if server.pid not in ended]
        # A server ends its backends itself, in order. Backends get signals of their own only when
        # their server has gone, or with SIGKILL, which a server cannot pass on.
        for process in processes if number == signal.SIGKILL or not servers else servers:
            try:
                process.send_signal(number)
                process.resume()  # a stopped process does not handle the signal
            except psutil.AccessDenied:
                raise UserError(
                    f"Another user's Postgres (process {process.pid}) runs on {data}. End it first."
                ) from None
            except psutil.NoSuchProcess:
                continue
        if not psutil.wait_procs(processes, timeout=SIGNAL_TIMEOUT_S)[1]:
            break
    file.unlink(missing_ok=True)
    return ended


def read_pid_file(data: Path) -> list[str]:
    """Return the lines of `postmaster.pid`; one empty line when there is no such file.

    The first is the pid, the eighth the state ("ready" when the server accepts connections).
    """
    try:
        return (data / "postmaster.pid").read_text(
            encoding="utf-8", errors="replace"
        ).splitlines() or [""]
    except FileNotFoundError:
        return [""]


def _processes_on(data: Path) -> list[psutil.Process]:
    """Return the server and its backends: PGDATA is the working directory of all of them."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.name() == "postgres" and Path(process.cwd()).samefile(data):
                found.append(process)
    return found
