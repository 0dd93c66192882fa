"""The outermost middleware: request id, deadline, timing, common headers, access log."""

import re
import time
from collections.abc import Iterable, Iterator
from typing import Any, Final
from uuid import uuid4

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.deadline import request_deadline
from service.logs import log

_VALID_ID: Final = re.compile(rb"[A-Za-z0-9._:-]{1,128}")


class RequestContextMiddleware:
    """ASGI middleware.

    The request id is the caller's `X-Request-ID` where that is a plain token, else a new one; it is
    in `scope["state"]["request_id"]`. A HEAD request runs as GET and gets the headers of its
    response (RFC 9110, 9.3.2).
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._cold_start = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0
        request_id = _request_id(scope)
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        method = scope["method"]
        if method == "HEAD":
            scope["method"] = "GET"

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                taken = f"{time.perf_counter() - started:.3f}"
                headers = message.get("headers", ())
                message["headers"] = [
                    *headers,
                    *_cache_control(headers, has_key="api_key_id" in state),
                    (b"x-content-type-options", b"nosniff"),
                    (b"x-request-id", request_id.encode()),
                    (b"x-process-time", taken.encode()),
                ]
            elif method == "HEAD":
                message = {**message, "body": b""}
            await send(message)

        with request_deadline(_accepted_at(scope), _function_seconds_left(scope)):
            await self.app(scope, receive, send_with_headers)
        log(
            "request",
            request_id=request_id,
            method=method,
            route=getattr(scope.get("route"), "path_format", None),
            status=status,
            duration_ms=round((time.perf_counter() - started) * 1000, 1),
            cold_start=self._cold_start,
        )
        self._cold_start = False


def _request_id(scope: Scope) -> str:
    given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    return given.decode() if _VALID_ID.fullmatch(given) else uuid4().hex


def _cache_control(
    headers: Iterable[tuple[bytes, bytes]], *, has_key: bool
) -> Iterator[tuple[bytes, bytes]]:
    """Yield a Cache-Control header for a response that has none.

    A client may store a response with an ETag, and has to revalidate it. It stores no other
    response, and none to a request with an API key.
    """
    names = {name for name, _ in headers}
    if b"cache-control" not in names:
        revalidated = b"etag" in names and not has_key
        yield b"cache-control", b"private, no-cache" if revalidated else b"no-store"


def _accepted_at(scope: Scope) -> float | None:
    """Return when the gateway accepted the request, in seconds since the epoch; None elsewhere."""
    event: dict[str, Any] = scope.get("aws.event") or {}
    milliseconds = event.get("requestContext", {}).get("timeEpoch")
    return milliseconds / 1000 if isinstance(milliseconds, (int, float)) else None


def _function_seconds_left(scope: Scope) -> float | None:
    """Return the seconds until Lambda ends the invocation; None outside Lambda."""
    context: Any = scope.get("aws.context")
    return None if context is None else context.get_remaining_time_in_millis() / 1000
