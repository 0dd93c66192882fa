"""The model that one execution environment asks: bounded in time as a whole, and left alone while it is down."""

import asyncio
import time
from typing import Any, Final

from service.insights.breaker import Breaker
from service.insights.failure import InsightError
from service.insights.subject import Subject

RESERVE_SECONDS: Final = 3.0
"""Of the request's time, for what comes after the answer."""
CLOSING_SECONDS: Final = 0.25
"""For a question that was given up to let go of its connection."""


class Model:
    """`seconds` for one answer, all in all. Connects at each question anew, so that no connection goes stale while Lambda freezes us."""

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
        """The checked content of an insight, within the model's seconds and the `remaining` ones of the request. Raises `InsightError`."""
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
        """The client's own timeout is for each read, which a slow drip evades; this one is for all of it, the import included."""
        ends = time.monotonic() + seconds
        from service.insights import answers, client

        left = max(0.0, ends - time.monotonic())
        question = asyncio.ensure_future(
            client.answer(
                subject, model=self.name, key=self._key, base_url=self._base_url, seconds=left
            ),
        )
        try:
            answered, _ = await asyncio.wait({question}, timeout=left)
        finally:
            if question.cancel():
                await asyncio.wait({question}, timeout=CLOSING_SECONDS)
        if not answered:
            raise InsightError("timeout", endpoint=True)
        return answers.checked(question.result(), subject)
