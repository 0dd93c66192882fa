"""`stack up`: starts the supervisor and shows what it does."""

import argparse
import contextlib
import queue
import signal
import subprocess
import threading
from collections.abc import Iterator
from typing import IO

from stack.cli.progress import Progress, progress
from stack.local.daemon.client import events, launch
from stack.local.system.paths import Home

FAILED = 1
TICK_S = 0.2


def up(options: argparse.Namespace) -> int:
    """Run the supervisor until it ends, or with `--detach` until the stack answers."""
    process = launch(Home(options.root), _flags(options), attached=not options.detach)
    with progress(options) as shown:
        return _follow(process, shown, detach=options.detach)


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
        shown.say(
            f"the local cloud was ended by signal {-code}: its data is safe, `stack up` goes on from there"
        )
        return FAILED
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


def _flags(options: argparse.Namespace) -> list[str]:
    given = [] if options.port is None else ["--port", str(options.port)]
    flags = {
        "--no-frontend": not options.frontend,
        "--watch": options.watch,
        "--no-freeze": not options.freeze,
    }
    flags["--strict-concurrency"] = options.strict_concurrency
    return given + [flag for flag, chosen in flags.items() if chosen]
