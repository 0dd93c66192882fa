"""A request to a function, and the result of Lambda's Invoke API."""

import asyncio
import json
import uuid
from dataclasses import dataclass, field

from stack.local.lambda_.function_version import FunctionVersion


@dataclass(frozen=True, kw_only=True, slots=True)
class Invocation:
    """The result of Invoke.

    `error` is None or `Unhandled` (AWS's `X-Amz-Function-Error`). With an error, `payload` is the
    error document and `message` its `errorMessage`.
    """

    request_id: str
    payload: bytes
    error: str | None = None
    message: str = ""

    @classmethod
    def failed(cls, request_id: str, document: bytes) -> "Invocation":
        """Return the result of an invocation that failed with this error document."""
        return cls(
            request_id=request_id,
            payload=document,
            error="Unhandled",
            message=error_field(document, "errorMessage"),
        )


@dataclass(eq=False, slots=True)
class Request:
    """An invocation on its way to an environment, whose end completes `result`."""

    function: FunctionVersion
    event: bytes
    trace_id: str
    result: asyncio.Future[Invocation]
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def complete(self, invocation: Invocation) -> None:
        if not self.result.done():
            self.result.set_result(invocation)

    def fail(self, document: bytes) -> None:
        self.complete(Invocation.failed(self.id, document))


def error_field(document: bytes, name: str) -> str:
    """Return a field of an error document, or "": a function may post anything as its error."""
    try:
        return str(json.loads(document)[name])
    except (ValueError, KeyError, TypeError):
        return ""
