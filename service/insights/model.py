"""Requests insights from a model, with a limit of time and a circuit breaker."""

import asyncio
import time
from typing import Any, Final

from service.insights.breaker import Breaker
from service.insights.failure import InsightError
from service.insights.subject import Subject

RESERVE_SECONDS: Final = 3.0
"""Time of the HTTP request that is left for storing the insight and responding."""
CLOSING_SECONDS: Final = 0.25
"""Time for a cancelled request to close its connection."""


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
        seconds = min(self._seconds, remaining - RESERVE_SECONDS)
        if seconds <= 0:
            raise InsightError("no_time")
        try:
            content = await self._within(seconds, subject)
        except InsightError as error:
            if error.endpoint:
                self._breaker.failed()
            else:
                self._breaker.succeeded()
            raise
        self._breaker.succeeded()
        return content

    async def _within(self, seconds: float, subject: Subject) -> dict[str, Any]:
        """Limit the whole request, the import of the client included.

        The client's own timeout is for each read, which never passes if bytes arrive slowly.
        """
        ends = time.monotonic() + seconds
        from service.insights import client, model_output

        left = max(0.0, ends - time.monotonic())
        request = asyncio.ensure_future(
            client.complete(
                subject, model=self.name, key=self._key, base_url=self._base_url, seconds=left
            ),
        )
        try:
            done, _ = await asyncio.wait({request}, timeout=left)
        finally:
            if request.cancel():
                await asyncio.wait({request}, timeout=CLOSING_SECONDS)
        if not done:
            raise InsightError("timeout", endpoint=True)
        return model_output.checked(request.result(), subject)
