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

ANSWER_SECONDS = 0.5
"""Of the function's own time, kept to say that there is no more."""

_ends: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextmanager
def deadline(
    accepted: float | None = None, function_seconds: float | None = None
) -> Generator[None]:
    """Sets the deadline of the work inside. `accepted`: seconds since the epoch at which the gateway took the request.
    `function_seconds`: what is left until Lambda ends the function, which can be set to less.

    An event from the future, or older than any gateway waits, is a replayed one: it gets the full time.
    """
    age = 0.0 if accepted is None else time.time() - accepted
    seconds = REQUEST_SECONDS - (age if 0 <= age < 30 else 0.0)
    if function_seconds is not None:
        seconds = min(seconds, function_seconds - ANSWER_SECONDS)
    token = _ends.set(time.monotonic() + seconds)
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
    return UnavailableError(
        "The request took longer than it may. Ask for less at once, or try again."
    )
