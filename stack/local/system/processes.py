"""Starts the child processes of the local cloud, each registered with a guard process.

The guard (guard.py) ends the children when this process, the supervisor, has ended, even by
`kill -9`. A guard that has been killed is replaced at once. `kill -9` of both in the same instant
leaves records in `run/`, from which the next `up` or `down` ends the children (`sweep`).
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from stack.local.system import guard
from stack.local.system.files import write_private

# Every child starts as this shell, which becomes the program (`exec`) once it has read a line.
# The supervisor writes the line after the guard knows the pid, so there is no time at which the
# program runs unregistered. If the supervisor dies first, the pipe closes, `read` fails and the
# shell exits. Variables that the shell itself sets are removed.
GATE = ("/bin/sh", "-c", 'read -r go && unset go PWD OLDPWD SHLVL && exec "$@" </dev/null', "sh")

START_TIME_TOLERANCE_S = 2.0
"""psutil adds a process's start to the system's boot time, which changes when the clock is set,
and which Linux rounds to seconds."""


class AbandonedError(Exception):
    """The operation was ended at the caller's request."""


@dataclass(frozen=True)
class Record:
    """A child's record in `run/PID.json`.

    started: seconds since the epoch. what: the child's name in messages. stop: number of the
    signal that asks it to end.
    """

    pid: int
    started: float
    what: str
    stop: int


class Guard:
    """Starts child processes that do not outlive this one. Thread-safe.

    Each child leads a session (and process group) of its own, and its standard input is empty.
    The shell that it starts as removes environment variables whose names are no identifiers.
    """

    def __init__(self, run: Path) -> None:
        self._run = run
        self._lock = threading.RLock()
        self._children: dict[int, Record] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the guard process, unless it runs."""
        self._run.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._lock:
            if self._process is None:
                self._start_process()

    def close(self) -> None:
        """End the children that still run, then the guard process."""
        with self._lock:
            process, self._process = self._process, None
            children, self._children = self._children, {}
        if process is not None:
            _close(process)
        for pid in children:
            self._record_file(pid).unlink(missing_ok=True)

    def spawn(
        self, argv: Sequence[str], *, what: str, stop: signal.Signals = signal.SIGKILL, **popen: Any
    ) -> subprocess.Popen[bytes]:
        """Start a child. `what` names it in messages, `stop` is the signal that asks it to end.

        The other arguments go to `subprocess.Popen`. Raises FileNotFoundError if there is no such
        program, RuntimeError if the guard does not run.
        """
        _check_program(argv[0], popen.get("env"))
        with _gate_pipe() as (reader, writer):
            process = subprocess.Popen[bytes](
                [*GATE, *argv], stdin=reader, start_new_session=True, **popen
            )
            process.args = list(argv)
            try:
                self._register(process.pid, writer, what, stop)
            except BaseException:
                process.kill()
                process.wait()
                self.forget(process.pid)
                raise
        return process

    async def spawn_async(
        self, argv: Sequence[str], *, what: str, stop: signal.Signals = signal.SIGKILL, **popen: Any
    ) -> asyncio.subprocess.Process:
        """Start a child on the running event loop, otherwise like `spawn`.

        The other arguments go to `asyncio.create_subprocess_exec`.
        """
        _check_program(argv[0], popen.get("env"))
        with _gate_pipe() as (reader, writer):
            process = await asyncio.create_subprocess_exec(
                *GATE, *argv, stdin=reader, start_new_session=True, **popen
            )
            try:
                self._register(process.pid, writer, what, stop)
            except BaseException:
                process.kill()
                await process.wait()
                self.forget(process.pid)
                raise
        return process

    def forget(self, pid: int) -> None:
        """Remove a child that has been waited for: the system may reuse its pid from then on."""
        with self._lock:
            if self._children.pop(pid, None) is not None:
                self._write_to_guard(f"-{pid}\n")
                self._record_file(pid).unlink(missing_ok=True)

    def end(self, process: subprocess.Popen[bytes], *, grace_s: float = 2.0) -> None:
        """End a child and its process group, wait for it, and forget it.

        Sends the child's signal and, when the child has ended or after `grace_s` seconds, SIGKILL.
        Does nothing for a child that was forgotten.
        """
        with self._lock:
            record = self._children.get(process.pid)
        if record is None:
            return
        if process.returncode is None and record.stop != signal.SIGKILL:
            guard.send(process.pid, record.stop)
            # Polled without reaping (`process.poll` would): as long as the zombie exists, the
            # system cannot give its pid, which is also the group's number, to another process.
            deadline = time.monotonic() + grace_s
            while not _has_ended(process.pid) and time.monotonic() < deadline:
                time.sleep(0.005)
        # SIGKILL also ends the child's own children, which may outlive it. When the caller has
        # reaped the child already and its pid exists again, the pid is another process's.
        if process.returncode is None or not psutil.pid_exists(process.pid):
            guard.send(process.pid, signal.SIGKILL)
        process.wait()
        self.forget(process.pid)

    def _register(self, pid: int, writer: int, what: str, stop: signal.Signals) -> None:
        """Register a child with the guard, write its record, and let its shell continue."""
        record = Record(pid, psutil.Process(pid).create_time(), what, int(stop))
        with self._lock:
            if self._process is None:
                raise RuntimeError("the guard is not running")
            self._children[pid] = record
            self._write_to_guard(f"+{pid} {record.stop}\n")
            write_private(self._record_file(pid), json.dumps(asdict(record)), sync=False)
        # The shell may have died already: the caller then gets a child that has ended.
        with contextlib.suppress(BrokenPipeError):
            os.write(writer, b"\n")

    def _record_file(self, pid: int) -> Path:
        return self._run / f"{pid}.json"

    def _write_to_guard(self, line: str) -> None:
        """Send a line to the guard process; start another one if it was killed."""
        assert self._process is not None
        try:
            _write(self._process, line)
        except BrokenPipeError:
            _close(self._process)
            self._start_process()

    def _start_process(self) -> None:
        """Start the guard process, which knows all children from its arguments."""
        children = [f"+{record.pid} {record.stop}" for record in self._children.values()]
        command = [sys.executable, "-I", "-S", guard.__file__, *children]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            bufsize=0,
        )
        threading.Thread(target=self._replace_if_killed, args=(self._process,), daemon=True).start()

    def _replace_if_killed(self, process: subprocess.Popen[bytes]) -> None:
        process.wait()
        with self._lock:
            if self._process is process:
                _close(process)
                self._start_process()


def sweep(run: Path) -> list[str]:
    """End the children of an earlier supervisor that was killed together with its guard.

    `run` is the directory of their records, which are removed. Returns one sentence per process
    that was ended. To be called by the holder of the supervisor's lock only.
    """
    records = {path: _read(path) for path in sorted(run.glob("*.json"))}
    orphans = [record for record in records.values() if record is not None and _runs(record)]
    guard.end(
        {record.pid: guard.Child(record.stop, guard.start_id(record.pid)) for record in orphans}
    )
    for path in records:
        path.unlink(missing_ok=True)
    return [
        f"Ended {record.what} (process {record.pid}), left over from a run that was killed."
        for record in orphans
    ]


def _read(path: Path) -> Record | None:
    try:
        return Record(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _runs(record: Record) -> bool:
    """Return whether the child still runs.

    False when its pid is another process's, which has another start time, or does not lead a
    session, as every child does.
    """
    try:
        process = psutil.Process(record.pid)
        return (
            abs(process.create_time() - record.started) < START_TIME_TOLERANCE_S
            and os.getsid(record.pid) == record.pid
        )
    except (psutil.NoSuchProcess, ProcessLookupError):
        return False


def _has_ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@contextlib.contextmanager
def _gate_pipe() -> Generator[tuple[int, int]]:
    """Yield the two ends of the pipe on which a child's shell waits (see `GATE`)."""
    reader, writer = os.pipe()
    try:
        yield reader, writer
    finally:
        os.close(reader)
        os.close(writer)


def _check_program(program: str, environment: Mapping[str, str] | None) -> None:
    # Checked here, because `Popen` starts the shell, which exists whether the program does or not.
    path = (os.environ if environment is None else environment).get("PATH", os.defpath)
    if shutil.which(program, path=path) is None:
        raise FileNotFoundError(f"there is no program {program}")


def _write(process: subprocess.Popen[bytes], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line.encode())


def _close(process: subprocess.Popen[bytes]) -> None:
    """Close the guard's input and wait until it has ended its children and itself."""
    assert process.stdin is not None
    process.stdin.close()
    process.wait()
