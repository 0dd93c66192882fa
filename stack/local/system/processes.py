"""Every child of the local cloud starts here, known to a guard that outlives the supervisor for the moment it takes to end them."""

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

# Waits for a line before it becomes the child: by then the guard knows the pid. When the supervisor dies first, the line never comes.
GATE = ("/bin/sh", "-c", 'read -r go && unset go PWD OLDPWD SHLVL && exec "$@" </dev/null', "sh")
CLOCK_STEP_S = 2.0
"""Start times are counted from a boot time that moves when the clock is set, and is rounded to seconds on Linux."""


class AbandonedError(Exception):
    """What was under way has been given up because the caller asked for it."""


@dataclass(frozen=True)
class Record:
    """A child in `run/<pid>.json`: `started` in seconds since the epoch, `stop` the number of the signal that ends it."""

    pid: int
    started: float
    what: str
    stop: int


class Guard:
    """Starts children so that none outlives this process. Thread-safe; children get no input and lead a session of their own.

    The gate is a shell: it drops environment variables whose names are no identifiers.
    """

    def __init__(self, run: Path) -> None:
        self._run = run
        self._lock = threading.RLock()
        self._children: dict[int, Record] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._run.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._lock:
            if self._process is None:
                self._launch()

    def close(self) -> None:
        """Ends the children that are left, then the guard."""
        with self._lock:
            process, self._process = self._process, None
            left, self._children = self._children, {}
        if process is not None:
            _shut(process)
        for pid in left:
            self._record(pid).unlink(missing_ok=True)

    def spawn(
        self, argv: Sequence[str], *, what: str, stop: signal.Signals = signal.SIGKILL, **popen: Any
    ) -> subprocess.Popen[bytes]:
        """Starts a child; `popen` goes to `subprocess.Popen`. Raises FileNotFoundError when the program is missing."""
        _check_program(argv[0], popen.get("env"))
        with _gate() as (reader, writer):
            process = subprocess.Popen[bytes](
                [*GATE, *argv], stdin=reader, start_new_session=True, **popen
            )
            process.args = list(argv)
            try:
                self._admit(process.pid, writer, what, stop)
            except BaseException:
                process.kill()
                process.wait()
                self.forget(process.pid)
                raise
        return process

    async def spawn_async(
        self, argv: Sequence[str], *, what: str, stop: signal.Signals = signal.SIGKILL, **popen: Any
    ) -> asyncio.subprocess.Process:
        """The same for the running event loop; `popen` goes to `asyncio.create_subprocess_exec`."""
        _check_program(argv[0], popen.get("env"))
        with _gate() as (reader, writer):
            process = await asyncio.create_subprocess_exec(
                *GATE, *argv, stdin=reader, start_new_session=True, **popen
            )
            try:
                self._admit(process.pid, writer, what, stop)
            except BaseException:
                process.kill()
                await process.wait()
                self.forget(process.pid)
                raise
        return process

    def forget(self, pid: int) -> None:
        """To be called as soon as a child has been waited for: from then on its pid may be another process's."""
        with self._lock:
            if self._children.pop(pid, None) is not None:
                self._tell(f"-{pid}\n")
                self._record(pid).unlink(missing_ok=True)

    def end(self, process: subprocess.Popen[bytes], *, grace_s: float = 2.0) -> None:
        """Sends a child's group its signal and, once the child has ended or after `grace_s`, SIGKILL; waits for it and forgets it."""
        with self._lock:
            record = self._children.get(process.pid)
        if record is None:
            return
        if process.returncode is None and record.stop != signal.SIGKILL:
            guard.send(process.pid, record.stop)
            deadline = time.monotonic() + grace_s
            while not _has_ended(process.pid) and time.monotonic() < deadline:
                time.sleep(0.005)
        if process.returncode is None or not psutil.pid_exists(
            process.pid
        ):  # else the pid is another process's by now
            guard.send(process.pid, signal.SIGKILL)
        process.wait()
        self.forget(process.pid)

    def _admit(self, pid: int, writer: int, what: str, stop: signal.Signals) -> None:
        record = Record(pid, psutil.Process(pid).create_time(), what, int(stop))
        with self._lock:
            if self._process is None:
                raise RuntimeError("the guard is not running")
            self._children[pid] = record
            self._tell(f"+{pid} {record.stop}\n")
            write_private(self._record(pid), json.dumps(asdict(record)), sync=False)
        with contextlib.suppress(
            BrokenPipeError
        ):  # the gate has died already: the caller sees a child that has ended
            os.write(writer, b"\n")

    def _record(self, pid: int) -> Path:
        return self._run / f"{pid}.json"

    def _tell(self, line: str) -> None:
        assert self._process is not None
        try:
            _send(self._process, line)
        except BrokenPipeError:
            _shut(self._process)
            self._launch()

    def _launch(self) -> None:
        command = [sys.executable, "-I", "-S", guard.__file__]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            bufsize=0,
        )
        for record in self._children.values():
            _send(self._process, f"+{record.pid} {record.stop}\n")


def sweep(run: Path) -> list[str]:
    """Ends what a supervisor left behind whose guard was killed as well; says in sentences what it ended.

    Only for the holder of the supervisor's lock. A process whose start time is not that of its record is left alone.
    """
    found = {path: _read(path) for path in sorted(run.glob("*.json"))}
    left = [record for record in found.values() if record is not None and _runs(record)]
    guard.end({record.pid: guard.Child(record.stop, guard.look(record.pid)) for record in left})
    for path in found:
        path.unlink(missing_ok=True)
    return [
        f"Ended {record.what} (process {record.pid}), left over from a run that was killed."
        for record in left
    ]


def _read(path: Path) -> Record | None:
    try:
        return Record(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _runs(record: Record) -> bool:
    try:
        process = psutil.Process(record.pid)
        return (
            abs(process.create_time() - record.started) < CLOCK_STEP_S
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
def _gate() -> Generator[tuple[int, int]]:
    reader, writer = os.pipe()
    try:
        yield reader, writer
    finally:
        os.close(reader)
        os.close(writer)


def _check_program(program: str, environment: Mapping[str, str] | None) -> None:
    if (
        shutil.which(
            program,
            path=(os.environ if environment is None else environment).get("PATH", os.defpath),
        )
        is None
    ):
        raise FileNotFoundError(f"there is no program {program}")


def _send(process: subprocess.Popen[bytes], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line.encode())


def _shut(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    process.wait()
