"""Requests insights from a model, with a limit of time and a circuit breaker."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, Final

from service.insights.breaker import Breaker
from service.insights.failure import InsightError
from service.insights.subject import Subject

RESERVE_SECONDS: Final = 3.0
"""Time of the HTTP request that is left for storing the insight and responding."""
CLOSING_SECONDS: Final = 0.25
"""Time for a cancelled request to close its connection."""
LONG_IMPORT_SECONDS: Final = 0.1
"""An import that takes the model more than this of its time is not held against the endpoint."""


class Model:
    """One per execution environment. `seconds` limits a whole request to the model.

    Each request opens a connection, because Lambda may freeze the environment between two requests,
    and a connection would be stale then.
    """

    def __init__(self, *, key: str, name: str, base_url: str, seconds: float) -> None:
        self.name = name
        self._key = key
        self._base_url = base_url
        self._seconds = seconds
        self._breaker = Breaker()

    @property
    def configured(self) -> bool:
        return bool(self._key)

    async def ask(self, subject: Subject, *, remaining: float) -> dict[str, Any]:
        """Return the validated content of an insight. Raises `InsightError`.

        `remaining` are the seconds that the HTTP request has left.
        """
        if not self.configured:
            raise InsightError("not_configured")
        if not self._breaker.allows():
            raise InsightError("circuit_open")
        given = min(self._seconds, remaining - RESERVE_SECONDS)
        if given <= 0:
            raise InsightError("no_time")
        started = time.monotonic()
        # The first import takes a second or more: time of the HTTP request, not of the model.
        from service.insights import client, model_output

        imported = time.monotonic() - started
        seconds = min(self._seconds, remaining - RESERVE_SECONDS - imported)
        if seconds <= 0:
            raise InsightError("no_time")
        try:
            completion = client.complete(
                subject, model=self.name, key=self._key, base_url=self._base_url, seconds=seconds
            )
            content = model_output.checked(await _within(seconds, completion), subject)
        except InsightError as error:
            if not error.endpoint:
                self._breaker.succeeded()
            # An endpoint that had less time because of the import may be well.
            elif error.reason != "timeout" or seconds > given - LONG_IMPORT_SECONDS:
                self._breaker.failed()
            raise
        self._breaker.succeeded()
        return content


async def _within(seconds: float, completion: Coroutine[Any, Any, str]) -> str:
    """Limit the whole request.

    The client's own timeout is for each read, which never passes if bytes arrive slowly.
    """
    request = asyncio.ensure_future(completion)
    try:
        done, _ = await asyncio.wait({request}, timeout=seconds)
    finally:
        if request.cancel():
            await asyncio.wait({request}, timeout=CLOSING_SECONDS)
    if not done:
        raise InsightError("timeout", endpoint=True)
    return request.result()
