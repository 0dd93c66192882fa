"""Helpers for tests that start processes and wait for them."""

import contextlib
import time
from collections.abc import Callable, Generator
from pathlib import Path

import psutil

from stack.local.system.processes import Guard


@contextlib.contextmanager
def guarded(directory: Path) -> Generator[Guard]:
    """Yield a guard whose records are in the directory's `run`; close it at the end."""
    guard = Guard(directory / "run")
    guard.start()
    try:
        yield guard
    finally:
        guard.close()


def is_gone(process: psutil.Process | int) -> bool:
    """Return whether a process, or the process of a pid, has ended; a zombie has."""
    try:
        process = psutil.Process(process) if isinstance(process, int) else process
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def becomes_true(condition: Callable[[], bool], seconds: float = 10) -> bool:
    """Wait until the condition holds; return False if it does not within the time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
