"""Starts the supervisor, sends it requests and stops it."""

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any
from urllib.parse import unquote, urlsplit

from common.environment import inherited, without_libpq
from common.errors import UserError
from stack.local.daemon import control
from stack.local.daemon.lock import SupervisorLock, lock_holder
from stack.local.system.paths import LocalPaths
from stack.local.system.processes import sweep

FAILED = 1
LOG_LINES = 8
"""Lines of the log in the error for a supervisor that ended without an error of its own."""
LINE_WAIT_S = 0.2
PROGRESS_S = 4.0
STOP_TIMEOUT_S = 20.0
PROVIDER_TIMEOUT_S = 60.0
INVOCATION_TIMEOUT_S = MIGRATION_TIMEOUT_S = 960.0  # longer than a function's own timeout


@dataclass(frozen=True)
class Launched:
    """A supervisor's process, whose standard output `events` reads, and its log from `start` on."""

    process: subprocess.Popen[bytes]
    paths: LocalPaths
    start: int

    def end(self) -> str:
        """Return an error for a supervisor that has ended without one of its own."""
        path = self.paths.log
        with contextlib.suppress(OSError), path.open("rb") as log:
            log.seek(self.start)
            text = log.read().decode(errors="replace")
            lines = [line for line in text.splitlines() if line.strip()][-LOG_LINES:]
            return "\n  ".join(
                [f"the local cloud ended while it started; the end of its log {path}:", *lines]
            )
        return f"the local cloud ended while it started: see {path}"


def launch(paths: LocalPaths, flags: Sequence[str], *, attached: bool) -> Launched:
    """Start a supervisor in a session of its own; with `attached` it ends with this process."""
    paths.create()
    command = [sys.executable, "-m", "stack.local.daemon.supervisor", "--root", str(paths.root)]
    with paths.log.open("ab") as log:
        start = log.tell()
        process = subprocess.Popen(
            [*command, *(["--attached"] if attached else []), *flags],
            stdin=subprocess.PIPE if attached else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=paths.root,
            # The supervisor's children are other programs, so gRPC need not prepare for forks.
            env={**inherited(), "GRPC_ENABLE_FORK_SUPPORT": "0"},
            start_new_session=True,
        )
    return Launched(process, paths, start)


def events(lines: Iterable[bytes]) -> Iterator[Mapping[str, Any]]:
    """Yield the events of a supervisor's output (see `stack.local.system.events`)."""
    for line in lines:
        try:
            yield json.loads(line)
        except ValueError:
            sys.stderr.write(line.decode(errors="replace"))


def follow(
    launched: Launched,
    show: Callable[[Mapping[str, Any]], None],
    ask: Callable[[str], bool],
    *,
    detach: bool,
) -> int:
    """Show a supervisor's events until it ends, or with `detach` until it is ready.

    ask: asks the user a question of the supervisor on the terminal.

    Ctrl-C stops the supervisor. Returns its exit code, 1 when a signal has ended it.
    """
    process = launched.process
    assert process.stdout is not None
    lines = _Lines(process.stdout, lambda seconds: show({"kind": "waiting", "seconds": seconds}))
    interrupted = explained = False
    while True:
        try:
            for event in events(lines):
                show(event)
                explained = explained or event["kind"] in ("error", "ready")
                if event["kind"] == "ready":
                    lines.waiting = None
                if event["kind"] == "question":
                    reply = {"do": "reply", "accepted": ask(event["text"])}
                    control.ask(launched.paths.socket, reply)
                if event["kind"] == "ready" and detach:
                    return 0
            break
        except KeyboardInterrupt:
            interrupted = True
            show({"kind": "message", "text": "Stopping …"})
            process.send_signal(signal.SIGTERM)
    code = process.wait()
    if code < 0 and not interrupted:
        text = f"the local cloud was ended by signal {-code}: its data is safe, "
        show({"kind": "message", "text": text + "`stack up` goes on from there"})
        return FAILED
    if code and not explained and not interrupted:
        show({"kind": "error", "text": launched.end(), "code": code})
    return code


class _Lines:
    """The lines of a stream, read by a thread so that a signal always interrupts the wait.

    Python runs signal handlers between bytecodes. A signal that comes just before a blocking read
    would be handled after the next line only. The wait for the queue has a timeout instead.

    waiting: called every `PROGRESS_S` without a line, with the seconds since the last one.
    """

    def __init__(self, stream: IO[bytes], waiting: Callable[[float], None] | None) -> None:
        self.waiting = waiting
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        threading.Thread(target=self._fill, args=(stream,), daemon=True).start()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        started = shown = time.monotonic()
        while True:
            with contextlib.suppress(queue.Empty):
                line = self._queue.get(timeout=LINE_WAIT_S)
                if line is None:
                    raise StopIteration
                return line
            now = time.monotonic()
            if self.waiting is not None and now - shown >= PROGRESS_S:
                self.waiting(now - started)
                shown = now

    def _fill(self, stream: IO[bytes]) -> None:
        for line in stream:
            self._queue.put(line)
        self._queue.put(None)


def stop(paths: LocalPaths) -> bool:
    """Stop the supervisor; False when nothing runs.

    A supervisor that does not reply gets SIGTERM, then SIGKILL, after which its guard ends its
    children. Without a supervisor, children of one that was killed together with its guard are
    ended. Raises `UserError` when the process does not end.
    """
    pid = lock_holder(paths.lock)
    if pid is None:
        return _end_leftover_children(paths)
    if control.ask(paths.socket, {"do": "stop"}) is None and pid:
        _signal(pid, signal.SIGTERM)
    if not _wait_until_stopped(paths, STOP_TIMEOUT_S):
        _signal(pid, signal.SIGKILL)
        if not _wait_until_stopped(paths, STOP_TIMEOUT_S):
            raise UserError(f"process {pid} does not end: look at {paths.log}")
    return True


def _end_leftover_children(paths: LocalPaths) -> bool:
    if not paths.run.is_dir():
        return False
    lock = SupervisorLock(paths.lock)
    if not lock.acquire():
        return False  # a supervisor has just started, and ends them
    try:
        return bool(sweep(paths.run))
    finally:
        lock.release()


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _wait_until_stopped(paths: LocalPaths, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while lock_holder(paths.lock) is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def provider_address(
    paths: LocalPaths, stack: str, *, frontend: bool, say: Callable[[str], None]
) -> Mapping[str, Any]:
    """Return the `port` of the gRPC provider, and the stack's `config_overrides`.

    Starts the local cloud when it does not run. Raises `UserError` with the reason when it cannot
    provide one. say: shows one line of text to the user.
    """
    if lock_holder(paths.lock) is None:
        _start_without_evaluation(paths, frontend=frontend, say=say)
    deadline = time.monotonic() + PROVIDER_TIMEOUT_S
    while True:
        reply = control.ask(paths.socket, {"do": "provide", "stack": stack})
        if reply is not None and "error" in reply:
            raise UserError(reply["error"])
        if reply is not None and "port" in reply:
            return reply
        if lock_holder(paths.lock) is None or time.monotonic() > deadline:
            raise UserError(f"the local cloud does not reply: see {paths.log}")
        time.sleep(0.1)


def _start_without_evaluation(
    paths: LocalPaths, *, frontend: bool, say: Callable[[str], None]
) -> None:
    flags = ["--no-evaluation", *([] if frontend else ["--no-frontend"])]
    launched = launch(paths, flags, attached=False)
    assert launched.process.stdout is not None
    for event in events(launched.process.stdout):
        match event["kind"]:
            case "ready":
                say(
                    "The local cloud is running, and keeps running after this command: "
                    "`stack status`, `stack logs`, `stack down`."
                )
                return
            case "error":
                raise UserError(event["text"])
            case "message":
                say(event["text"])
            case _:  # other events concern an evaluation
                pass
    raise UserError(launched.end())


def supervisor_pid(paths: LocalPaths) -> int | None:
    """Return the process that runs the local cloud, or None."""
    return lock_holder(paths.lock)


def status(paths: LocalPaths) -> Mapping[str, Any] | None:
    """Return the supervisor's status; None while it starts or stops."""
    return control.ask(paths.socket, {"do": "status"})


def migrate(paths: LocalPaths) -> str:
    """Let `--watch` apply the migrations that wait; return a sentence about it.

    Raises `UserError` when it cannot, or when a migration fails.
    """
    reply = control.ask(paths.socket, {"do": "migrate"}, timeout=MIGRATION_TIMEOUT_S)
    if reply is None or "error" in reply:
        raise UserError((reply or {}).get("error", f"it does not reply: see {paths.log}"))
    if not reply["done"]:
        raise UserError(
            f"{reply['text']}. The reason: `stack up` prints it, and {paths.log} has it"
        )
    return reply["text"]


def invoke_schedule(paths: LocalPaths, name: str) -> tuple[str, bool]:
    """Invoke a schedule's target now; return its result or error, and whether it succeeded.

    Raises `UserError` for a name that is not that of a schedule.
    """
    request = {"do": "invoke-schedule", "name": name}
    reply = control.ask(paths.socket, request, timeout=INVOCATION_TIMEOUT_S)
    if reply is None or "error" in reply:
        raise UserError((reply or {}).get("error", f"it does not reply: see {paths.log}"))
    return reply["text"], reply["done"]


def forget(paths: LocalPaths, stack: str) -> None:
    """Let a running local cloud forget a stack that has been removed."""
    control.ask(paths.socket, {"do": "forget", "stack": stack})


def delete(paths: LocalPaths) -> None:
    """Stop the local cloud and delete its data."""
    stop(paths)
    from stack.local.lambda_.packages import remove
    from stack.local.neon.postgres.server import Postgres

    Postgres.remove(paths.directory / "postgres")
    remove(paths.directory)
    if paths.socket.parent != paths.directory:
        shutil.rmtree(paths.socket.parent, ignore_errors=True)


def run_psql(url: str, arguments: Sequence[str]) -> int:
    """Run psql in the foreground; return its exit code."""
    from stack.local.neon.postgres.data_directory import programs

    address = urlsplit(url)
    variables = {
        "PGHOST": address.hostname or "",
        "PGPORT": str(address.port),
        "PGUSER": unquote(address.username or ""),
        "PGPASSWORD": unquote(address.password or ""),  # arguments are visible to other users
        "PGDATABASE": unquote(address.path[1:]),
    }
    return subprocess.run(
        [programs() / "psql", *arguments], env={**without_libpq(), **variables}, check=False
    ).returncode
