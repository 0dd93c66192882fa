"""Tracks the engine's calls to the provider, so that they can be serialized and cancelled."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from stack.local.system.processes import AbandonedError


class InFlightCalls:
    """The calls that are running or waiting for their resource. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._resource_locks: dict[str, threading.Lock] = {}
        # The connection (gRPC's peer) of each call, by the event that cancels the call.
        self._peers: dict[threading.Event, str] = {}

    @contextmanager
    def track(self, urn: str, context: Any) -> Generator[threading.Event]:
        """Run the body as a call for a resource, after the earlier calls for the same resource.

        context: the call's `grpc.ServicerContext`. The event that the body gets is set when the
        engine cancels or its connection ends. Raises `AbandonedError` for a call that is cancelled
        before its turn.
        """
        cancelled = threading.Event()
        # gRPC runs the callback when the call ends, a lost connection included. It returns False,
        # and does not run the callback, when the call has ended already.
        if not context.add_callback(cancelled.set):
            cancelled.set()
        with self._lock:
            self._peers[cancelled] = context.peer()
            resource_lock = self._resource_locks.setdefault(urn, threading.Lock())
        try:
            # An engine that is killed leaves its calls behind, and a handler may take a while to
            # notice. The next engine's call for that resource waits here until it has ended.
            with resource_lock:
                if cancelled.is_set():
                    raise AbandonedError("stopped")
                yield cancelled
        finally:
            with self._lock:
                del self._peers[cancelled]

    def cancel(self, peer: str | None = None) -> None:
        """Cancel the calls of one connection, or all calls."""
        with self._lock:
            for cancelled, caller in self._peers.items():
                if peer in (None, caller):
                    cancelled.set()
