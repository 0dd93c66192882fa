"""Shuts a connection's socket down when its time is up.

The database's own timeouts do not help while a pooler queues a statement, or while the network
loses packets: the blocking read would outlast the gateway. `shutdown` ends that read at once, and
psycopg2 reports a lost connection.
"""

import os
import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress


class Watchdog:
    """Watches one socket at a time, from one daemon thread that starts with the first watch.

    Most watches end in milliseconds, and waking the thread for each would cost more than they take.
    So the end of a watch does not wake it, and neither does a new one whose deadline is later than
    the time at which it wakes anyway. Awake, it looks at the present watch and sleeps again.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        """Guards all attributes below that both threads use."""
        self._earlier_deadline = threading.Event()
        self._thread: threading.Thread | None = None
        self._wakes_at = float("inf")
        self._deadline: float | None = None
        self._socket: socket.socket | None = None
        self.expired = False
        """Whether the last watch shut its socket down."""

    @contextmanager
    def watch(self, descriptor: int, seconds: float) -> Generator[None]:
        """Shut the socket of `descriptor` down when the block takes longer than `seconds`."""
        # A duplicate of the descriptor: if libpq closes its own and the kernel reuses the number,
        # this one still means the same socket, so that no other can be shut down by mistake.
        with socket.socket(fileno=os.dup(descriptor)) as watched:
            self._arm(watched, time.monotonic() + seconds)
            try:
                yield
            finally:
                # Under the lock, so that the thread does not use the socket while it is closed.
                with self._lock:
                    self._socket = self._deadline = None

    def _arm(self, watched: socket.socket, deadline: float) -> None:
        with self._lock:
            self._socket, self._deadline, self.expired = watched, deadline, False
            sleeps_too_long = deadline < self._wakes_at
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="database-watchdog", daemon=True)
            self._thread.start()
        elif sleeps_too_long:
            self._earlier_deadline.set()

    def _run(self) -> None:
        while True:
            with self._lock:
                now = time.monotonic()
                if self._deadline is not None and self._deadline <= now:
                    self._expire()
                self._wakes_at = float("inf") if self._deadline is None else self._deadline
                timeout = None if self._deadline is None else self._deadline - now
                # Cleared under the lock: a watch that starts after this sets it again, and the
                # wait below returns at once.
                self._earlier_deadline.clear()
            self._earlier_deadline.wait(timeout)

    def _expire(self) -> None:
        assert self._socket is not None
        self.expired = True
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket = self._deadline = None
