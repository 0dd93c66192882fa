"""The engine's calls that are under way: one at a time for a resource, given up with the engine that made them."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from stack.local.system.processes import AbandonedError


class Calls:
    """Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._resources: dict[str, threading.Lock] = {}
        self._running: dict[threading.Event, str] = {}

    @contextmanager
    def track(self, urn: str, context: Any) -> Generator[threading.Event]:
        """Work on a resource; the event is set when whoever called has gone or cancels.

        A call that a killed engine left behind ends first: the next engine's call for that resource waits for it.
        Raises `AbandonedError` for a call whose caller has gone before its turn.
        """
        cancelled = threading.Event()
        if not context.add_callback(cancelled.set):
            cancelled.set()
        with self._lock:
            self._running[cancelled] = context.peer()
            resource = self._resources.setdefault(urn, threading.Lock())
        try:
            with resource:
                if cancelled.is_set():
                    raise AbandonedError("stopped")
                yield cancelled
        finally:
            with self._lock:
                del self._running[cancelled]

    def cancel(self, peer: str | None = None) -> None:
        """Ask the calls of one engine's connection to end, or all."""
        with self._lock:
            for cancelled, caller in self._running.items():
                if peer in (None, caller):
                    cancelled.set()
