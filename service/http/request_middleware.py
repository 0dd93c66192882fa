"""What every request gets, outermost: an id, a deadline, its time, and one line in the log."""

import re
import time
from typing import Any, Final
from uuid import uuid4

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.deadline import deadline
from service.logs import log

_SANE_ID: Final = re.compile(rb"[A-Za-z0-9._:-]{1,128}")


class RequestContextMiddleware:
    """ASGI middleware. The id is the caller's `X-Request-ID` when it is sane, and stands in `scope["state"]["request_id"]`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._cold_start = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                taken = f"{time.perf_counter() - started:.3f}"
                marks = [
                    (b"x-request-id", request_id.encode()),
                    (b"x-process-time", taken.encode()),
                ]
                message["headers"] = [*message.get("headers", ()), *marks]
            elif scope["method"] == "HEAD":
                message = {**message, "body": b""}
            await send(message)

        with deadline(_accepted(scope), _function_seconds(scope)):
            await self.app(scope, receive, send_marked)
        log(
            "request",
            request_id=request_id,
            method=scope["method"],
            route=getattr(scope.get("route"), "path_format", None),
            status=status,
            duration_ms=round((time.perf_counter() - started) * 1000, 1),
            cold_start=self._cold_start,
        )
        self._cold_start = False


def _request_id(scope: Scope) -> str:
    given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    return given.decode() if _SANE_ID.fullmatch(given) else uuid4().hex


def _accepted(scope: Scope) -> float | None:
    """When the gateway took the request, in seconds since the epoch; None outside of Lambda."""
    event: dict[str, Any] = scope.get("aws.event") or {}
    milliseconds = event.get("requestContext", {}).get("timeEpoch")
    return milliseconds / 1000 if isinstance(milliseconds, (int, float)) else None


def _function_seconds(scope: Scope) -> float | None:
    """Until Lambda ends the function; None outside of Lambda."""
    context: Any = scope.get("aws.context")
    return None if context is None else context.get_remaining_time_in_millis() / 1000
