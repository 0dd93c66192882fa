"""Turns exceptions into problem details (RFC 9457), and bounds each request by its deadline.

There are two ways to a response. FastAPI's exception handlers catch what routes and dependencies
raise; `ExceptionMiddleware` catches the rest: a deadline, what other middleware raises, and errors
that no handler is registered for. Both are inside the CORS middleware, so that a browser lets its
page read the error.
"""

import asyncio
import logging
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.deadline import deadline_exceeded, remaining
from service.errors import (
    HttpError,
    InternalError,
    MethodNotAllowedError,
    NotFoundError,
    ServiceError,
)
from service.http.problems import problem_response, validation_error
from service.logs import log


class ExceptionMiddleware:
    """ASGI middleware: ends a request at its deadline, and renders unhandled exceptions."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def send_and_record(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        # The timeout cancels code that awaits. Blocking code, such as a query, is bounded by
        # `service.database.watchdog` instead.
        timeout = asyncio.timeout(remaining())
        try:
            async with timeout:
                await self.app(scope, receive, send_and_record)
        except Exception as error:
            # A second response must not follow one that has started: its status is already sent.
            if started:
                raise
            # `expired` separates this timeout from a TimeoutError that the application raised.
            response = error_response(
                Request(scope), deadline_exceeded() if timeout.expired() else error
            )
            await response(scope, receive, send)


def error_response(request: Request, error: Exception) -> Response:
    """Return problem details for `error`.

    An error that is not meant for clients is logged, and its message is not sent.
    """
    return problem_response(
        _service_error(request, error),
        path=request.scope["path"],
        request_id=request.state.request_id,
    )


async def handle_exception(request: Request, error: Exception) -> Response:
    """Handle an exception that FastAPI catches: `error_response` with the signature it expects."""
    return error_response(request, error)


def _service_error(request: Request, error: Exception) -> ServiceError:
    if isinstance(error, ServiceError):
        return error
    if isinstance(error, RequestValidationError):
        return validation_error(error.errors())
    if isinstance(error, HTTPException):
        return _routing_error(request.scope, error)
    log("unhandled error", level=logging.ERROR, error=error, request_id=request.state.request_id)
    return InternalError()


def _routing_error(scope: Scope, error: HTTPException) -> ServiceError:
    """Return the error for what Starlette raises when no route matches path and method."""
    if error.status_code == 404:
        return NotFoundError("There is nothing at this path. /docs lists the paths.")
    if error.status_code == 405:
        methods = ", ".join(_allowed_methods(scope))
        return MethodNotAllowedError(f"This path allows {methods}.", headers={"Allow": methods})
    return HttpError(error.status_code, error.detail, error.headers)


def _allowed_methods(scope: Scope) -> list[str]:
    """Return the methods of all routes at this path; Starlette lists those of the first only."""
    app: Any = scope["app"]
    routes = [
        route
        for route in app.routes
        if isinstance(route, Route) and route.matches(scope)[0] is not Match.NONE
    ]
    methods = {method for route in routes for method in route.methods or ()}
    return sorted(methods | ({"HEAD"} if "GET" in methods else set()))
