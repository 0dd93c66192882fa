"""A data directory: made in one step, checked, and freed of what a dead supervisor left on it."""

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
ORPHAN_S = 2.0
TICK_S = 0.005


def make(place: DataDirectory, guard: Guard, cancelled: threading.Event) -> None:
    """Makes the cluster beside its final name, so that an end half-way leaves nothing that looks like one."""
    for leftover in place.root.glob("cluster.*"):
        shutil.rmtree(leftover)
    staging = place.root / f"cluster.{secrets.token_hex(4)}"
    new = DataDirectory(root=staging, programs=place.programs, user=place.user)
    try:
        new.data.mkdir(parents=True)
        for directory, mode in ((staging, 0o711), (new.cluster, 0o711), (new.data, 0o700)):
            directory.chmod(mode)
        write_private(new.password, secrets.token_urlsafe(32), sync=False)
        if place.user is not None:
            for path in (new.data, new.password):
                os.chown(path, place.user.uid, place.user.gid)
        _initdb(new, guard, cancelled)
        if place.user is not None:
            os.chown(new.password, os.geteuid(), os.getegid())
        new.cluster.rename(place.cluster)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _initdb(place: DataDirectory, guard: Guard, cancelled: threading.Event) -> None:
    said = ""
    for locale in (
        "C.UTF-8",
        "C",
    ):  # some systems lack the first; the built-in provider sorts alike with both
        command = [
            *(
                str(place.programs / "initdb"),
                "-D",
                str(place.data),
                "-U",
                SUPERUSER,
                f"--pwfile={place.password}",
            ),
            *(
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
            ),
            *(f"--locale={locale}", "--no-sync", "--no-instructions"),
        ]
        with (place.root / "initdb.log").open("w+b") as log:
            process = guard.spawn(
                command, what="initdb", cwd=place.cluster, **output(log.fileno(), place)
            )
            try:
                while process.poll() is None:
                    pause(cancelled)
            finally:
                guard.end(process)
            log.seek(0)
            said = log.read().decode(errors="replace")
        if process.returncode == 0:
            return
        if "invalid locale name" not in said:
            break
    raise explain("The local database could not be created", said, place.root.parent)


def output(log: int, place: DataDirectory) -> dict[str, Any]:
    """How a program of the server is started: its log's descriptor, its environment, its user."""
    return {
        "stdout": log,
        "stderr": log,
        "env": ENVIRONMENT,
        **(place.user.popen() if place.user else {}),
    }


def pause(cancelled: threading.Event) -> None:
    if cancelled.wait(TICK_S):
        raise AbandonedError("the start of the local database was given up")


def check(place: DataDirectory) -> str:
    """The superuser's password. Raises UserError for data that this server cannot run on."""
    try:
        found = (place.data / "PG_VERSION").read_text(encoding="ascii").strip()
        password = place.password.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise UserError(
            f"The local database is damaged, {error.filename} is missing: `stack reset` deletes it, the next `up` makes a new one."
        ) from None
    except PermissionError as error:
        raise UserError(
            f"{error.filename} belongs to another user, who started the stack before. Start it or `stack reset` it as that user."
        ) from None
    wanted = version().partition(".")[0]
    if found != wanted:
        raise UserError(
            f"The local database in {place.data} is of PostgreSQL {found}, this checkout has {wanted}, which does not read it. "
            f"`stack reset` deletes it, the next `up` makes a new one; to keep the data, dump it first with what made it."
        )
    return password


def explain(what: str, said: str, place: Path) -> UserError:
    """The error for a server program that failed and said this."""
    if "No space left on device" in said:
        return UserError(f"{what}: the disk that holds {place} is full. Make room and try again.")
    return UserError(f"{what}: " + "\n".join(said.strip().splitlines()[-8:]))


def end_holders(data: Path) -> list[int]:
    """Ends servers that a dead supervisor left on the data directory and removes their `postmaster.pid`; gives the pids.

    Postgres itself would take any process of its user that got the file's pid for a server, and refuse to start.
    """
    file = data / "postmaster.pid"
    ended: list[int] = []
    try:
        if not file.exists():
            return ended
    except PermissionError:  # another user's data, of which `check` speaks
        return ended
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        holders = _holders(data)
        servers = [holder for holder in holders if str(holder.pid) == pid_file(data)[0]]
        ended += [server.pid for server in servers if server.pid not in ended]
        for holder in holders if number == signal.SIGKILL or not servers else servers:
            try:
                holder.send_signal(number)
                holder.resume()
            except psutil.AccessDenied:
                raise UserError(
                    f"Another user's Postgres (process {holder.pid}) runs on {data}. End it first."
                ) from None
            except psutil.NoSuchProcess:
                continue
        if not psutil.wait_procs(holders, timeout=ORPHAN_S)[1]:
            break
    file.unlink(missing_ok=True)
    return ended


def pid_file(data: Path) -> list[str]:
    """The lines of `postmaster.pid`: the pid first, the state eighth; one empty line when there is none."""
    try:
        return (data / "postmaster.pid").read_text(
            encoding="utf-8", errors="replace"
        ).splitlines() or [""]
    except FileNotFoundError:
        return [""]


def _holders(data: Path) -> list[psutil.Process]:
    """The server and its backends: all of them work in the data directory."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.name() == "postgres" and Path(process.cwd()).samefile(data):
                found.append(process)
    return found
