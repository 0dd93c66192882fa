"""`stack up`: starts the supervisor and shows what it does."""

import argparse
import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

from cli.progress import Progress, progress
from local.home import Home

DIED = 1
# What a cloud would be reached with: nothing here needs it, and nothing here may use it.
CREDENTIALS = ("AWS_", "NEON_", "VERCEL_", "PULUMI_", "OPENAI_")
TICK_S = 0.2


def up(options: argparse.Namespace) -> int:
    """Run the supervisor until it ends, or with `--detach` until the stack answers."""
    process = launch(Home(options.root), _flags(options), attached=not options.detach)
    with progress(options) as shown:
        return _follow(process, shown, detach=options.detach)


def launch(home: Home, flags: Sequence[str], *, attached: bool) -> subprocess.Popen[bytes]:
    """Start a supervisor in a session of its own; one that is attached ends with this process. `events` reads what it tells."""
    home.make()
    command = [sys.executable, "-m", "local.supervisor", "--root", str(home.root), *(["--attached"] if attached else []), *flags]
    with home.log.open("ab") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE if attached else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=home.root,
            env={**without_credentials(), "GRPC_ENABLE_FORK_SUPPORT": "0"},  # its children are other programs
            start_new_session=True,
        )


def _follow(process: subprocess.Popen[bytes], shown: Progress, *, detach: bool) -> int:
    assert process.stdout is not None
    lines, interrupted = _Lines(process.stdout), False
    while True:
        try:
            for event in events(lines):
                shown.show(event)
                if event["kind"] == "ready" and detach:
                    return 0
            break
        except KeyboardInterrupt:
            interrupted = True
            shown.say("Stopping …")
            process.send_signal(signal.SIGTERM)
    code = process.wait()
    if code < 0 and not interrupted:
        shown.say(f"the local cloud was ended by signal {-code}: its data is safe, `stack up` goes on from there")
        return DIED
    return code


class _Lines:
    """A stream's lines, whose wait a signal always ends: one that comes just before a read would not be heeded until the next line."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._read: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        threading.Thread(target=self._fill, args=(stream,), daemon=True).start()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        while True:
            with contextlib.suppress(queue.Empty):
                line = self._read.get(timeout=TICK_S)
                if line is None:
                    raise StopIteration
                return line

    def _fill(self, stream: IO[bytes]) -> None:
        for line in stream:
            self._read.put(line)
        self._read.put(None)


def events(stream: Any) -> Iterator[Mapping[str, Any]]:
    """A supervisor's lines (see `local.report`)."""
    for line in stream:
        try:
            yield json.loads(line)
        except ValueError:
            sys.stderr.write(line.decode(errors="replace"))


def _flags(options: argparse.Namespace) -> list[str]:
    given = [] if options.port is None else ["--port", str(options.port)]
    flags = {"--no-frontend": not options.frontend, "--watch": options.watch, "--no-freeze": not options.freeze}
    flags["--strict-concurrency"] = options.strict_concurrency
    return given + [flag for flag, chosen in flags.items() if chosen]


def without_credentials() -> dict[str, str]:
    """This process's environment as the local cloud may see it."""
    unwanted = ("PYTHONDONTWRITEBYTECODE", "STACK_LOCAL_CLOUD")
    return {name: value for name, value in os.environ.items() if not name.startswith(CREDENTIALS) and name not in unwanted}
