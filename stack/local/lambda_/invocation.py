"""A request to a function, and what Lambda answers to it."""

import asyncio
import json
import uuid
from dataclasses import dataclass, field

from stack.local.lambda_.function_version import FunctionVersion


@dataclass(frozen=True, kw_only=True, slots=True)
class Invocation:
    """The answer to Invoke. `error` is None or `Unhandled` (AWS's `X-Amz-Function-Error`); then `payload` is the error document and
    `message` its `errorMessage`."""

    request_id: str
    payload: bytes
    error: str | None = None
    message: str = ""

    @classmethod
    def failed(cls, request_id: str, document: bytes) -> "Invocation":
        return cls(
            request_id=request_id,
            payload=document,
            error="Unhandled",
            message=error_field(document, "errorMessage"),
        )


@dataclass(eq=False, slots=True)
class Request:
    """An invocation on its way to an environment; `answer` is settled when that is over."""

    function: FunctionVersion
    event: bytes
    trace_id: str
    answer: asyncio.Future[Invocation]
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def settle(self, invocation: Invocation) -> None:
        if not self.answer.done():
            self.answer.set_result(invocation)

    def fail(self, document: bytes) -> None:
        self.settle(Invocation.failed(self.id, document))


def error_field(document: bytes, name: str) -> str:
    """A field of an error document, empty when it is not one: functions may post what they like."""
    try:
        return str(json.loads(document)[name])
    except (ValueError, KeyError, TypeError):
        return ""
