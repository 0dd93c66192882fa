"""Cuts a connection when its time is up.

The database's own timeouts do not help while a pooler keeps a query in its queue, or when the network swallows it: a blocking read
would outlive the gateway. Shutting the socket down ends that read at once, with an error like any lost connection.
"""

import os
import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress


class Watchdog:
    """Watches one socket at a time from one daemon thread, which starts with the first watch and wakes only when it has to."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._alarm = threading.Event()
        self._thread: threading.Thread | None = None
        self._wakes = float("inf")
        self._ends: float | None = None
        self._socket: socket.socket | None = None
        self.cut = False
        """Whether the last watch had to cut."""

    @contextmanager
    def watch(self, descriptor: int, seconds: float) -> Generator[None]:
        """Shuts the socket of `descriptor` down when the block takes longer than `seconds`."""
        with socket.socket(
            fileno=os.dup(descriptor)
        ) as watched:  # of our own, so that a reused number can never be cut
            self._arm(watched, time.monotonic() + seconds)
            try:
                yield
            finally:
                with self._lock:
                    self._socket = self._ends = None

    def _arm(self, watched: socket.socket, ends: float) -> None:
        with self._lock:
            self._socket, self._ends, self.cut = watched, ends, False
            sleeps_too_long = ends < self._wakes
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="database-watchdog", daemon=True)
            self._thread.start()
        elif sleeps_too_long:
            self._alarm.set()

    def _run(self) -> None:
        while True:
            with self._lock:
                now = time.monotonic()
                if self._ends is not None and self._ends <= now:
                    self._cut()
                self._wakes = float("inf") if self._ends is None else self._ends
                timeout = None if self._ends is None else self._ends - now
                self._alarm.clear()
            self._alarm.wait(timeout)

    def _cut(self) -> None:
        assert self._socket is not None
        self.cut = True
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket = self._ends = None
