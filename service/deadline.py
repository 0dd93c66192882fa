"""The deadline of a request.

The gateway times out 30 s after it accepted a request, and a cold start is part of that time. So
the deadline counts from the event's timestamp, not from the start of the handler.
"""

import time
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

from service.errors import UnavailableError

REQUEST_SECONDS = 25.0
"""Less than the function's 29 s and the gateway's 30 s, so that the service can send an error."""

RESPONSE_SECONDS = 0.5
"""Of the function's remaining time, reserved for sending the error."""

_GATEWAY_SECONDS = 30

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextmanager
def request_deadline(
    accepted_at: float | None = None, function_seconds: float | None = None
) -> Generator[None]:
    """Set the deadline of the block.

    accepted_at: when the gateway accepted the request, in seconds since the epoch.
    function_seconds: the time until Lambda ends the invocation, which a stack can set to less.

    An event from the future, or older than the gateway's timeout, is a replay: it gets full time.
    """
    age = 0.0 if accepted_at is None else time.time() - accepted_at
    seconds = REQUEST_SECONDS - (age if 0 <= age < _GATEWAY_SECONDS else 0.0)
    if function_seconds is not None:
        seconds = min(seconds, function_seconds - RESPONSE_SECONDS)
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


def remaining() -> float:
    """Return the seconds until the deadline; outside a request, those of a full request."""
    ends = _deadline.get()
    return REQUEST_SECONDS if ends is None else ends - time.monotonic()


def check() -> None:
    """Raise `UnavailableError` when the deadline has passed. Call it between steps of long work."""
    if remaining() <= 0:
        raise deadline_exceeded()


def deadline_exceeded() -> UnavailableError:
    return UnavailableError(
        "The request took longer than the limit. Request less at once, or try again."
    )
