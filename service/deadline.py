"""How long a request may still take.

The gateway gives up 30 s after it took the request, and a cold start is inside of that: so time counts from the event, not from the
handler's start.
"""

import time
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

from service.errors import UnavailableError

REQUEST_SECONDS = 25.0
"""Below the function's 29 s and the gateway's 30 s, so that the service itself says what happened."""

_ends: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextmanager
def deadline(accepted: float | None = None) -> Generator[None]:
    """Sets the deadline of the work inside. `accepted`: seconds since the epoch at which the gateway took the request.

    An event from the future, or older than any gateway waits, is a replayed one: it gets the full time.
    """
    age = 0.0 if accepted is None else time.time() - accepted
    token = _ends.set(time.monotonic() + REQUEST_SECONDS - (age if 0 <= age < 30 else 0.0))
    try:
        yield
    finally:
        _ends.reset(token)


def remaining() -> float:
    """Seconds left; work outside of a request has a request's full time."""
    ends = _ends.get()
    return REQUEST_SECONDS if ends is None else ends - time.monotonic()


def check() -> None:
    """Between the steps of long work: raises `UnavailableError` when no time is left."""
    if remaining() <= 0:
        raise out_of_time()


def out_of_time() -> UnavailableError:
    return UnavailableError(f"The request took longer than {REQUEST_SECONDS:.0f} seconds. Ask for less at once, or try again.")
