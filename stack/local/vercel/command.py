"""Runs one command of a build as a child process, and reports its output."""

import re
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.errors import UserError
from stack.local.system.processes import AbandonedError, Guard

TIMEOUT_S = 900.0
ERROR_LINES = 30
"""How many of the last lines of output an error contains."""

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True)
class Command:
    """A command; `name` is for messages, `environment` is the child's whole environment."""

    name: str
    argv: Sequence[str | Path]
    directory: Path
    environment: Mapping[str, str]

    def run(
        self, guard: Guard, progress: Callable[[str], None], cancelled: threading.Event
    ) -> None:
        """Run the command; `progress` is called with each line of output.

        Raises UserError with the last lines when it fails or takes longer than 15 minutes,
        AbandonedError once `cancelled` is set.
        """
        process = guard.spawn(
            [str(part) for part in self.argv],
            what=self.name,
            stop=signal.SIGTERM,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.directory,
            env=dict(self.environment),
        )
        lines: deque[str] = deque(maxlen=ERROR_LINES)
        reader = threading.Thread(
            target=_read, args=(process, lines, progress), name=self.name, daemon=True
        )
        reader.start()
        deadline = time.monotonic() + TIMEOUT_S
        try:
            while process.poll() is None:
                if cancelled.wait(0.05):
                    raise AbandonedError(f"`{self.name}` was cancelled")
                if time.monotonic() > deadline:
                    raise UserError(
                        f"`{self.name}` in {self.directory} did not end within {TIMEOUT_S:.0f} s"
                        f"{_last_lines(lines)}"
                    )
        finally:
            guard.end(process)
            reader.join(timeout=2)
        if process.returncode:
            raise UserError(
                f"`{self.name}` in {self.directory} ended with {process.returncode}"
                f"{_last_lines(lines)}"
            )


def _read(
    process: subprocess.Popen[bytes], lines: deque[str], progress: Callable[[str], None]
) -> None:
    assert process.stdout is not None
    with process.stdout as stream:
        for raw in stream:
            line = _CONTROL.sub("", raw.decode(errors="replace")).rstrip()
            if line:
                lines.append(line)
                progress(line)


def _last_lines(lines: deque[str]) -> str:
    return ":\n" + "\n".join(f"  {line}" for line in lines) if lines else ", without any output"
