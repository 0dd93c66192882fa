"""From whatever is raised to an answer: one place, inside of CORS, so that errors reach the browser that asked."""

import asyncio
import logging
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.deadline import out_of_time, remaining
from service.errors import (
    HttpError,
    InternalError,
    MethodNotAllowedError,
    NotFoundError,
    ServiceError,
)
from service.http.problems import invalid, problem
from service.logs import log


class ExceptionMiddleware:
    """ASGI middleware: bounds the request by its deadline and answers what nobody else did."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def send_watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        bound = asyncio.timeout(remaining())
        try:
            async with bound:
                await self.app(scope, receive, send_watched)
        except Exception as error:
            if started:
                raise
            response = error_response(Request(scope), out_of_time() if bound.expired() else error)
            await response(scope, receive, send)


def error_response(request: Request, error: Exception) -> Response:
    """The problem details for `error`; what is not an error for clients is logged and hidden."""
    return problem(
        _meant(request, error), path=request.scope["path"], request_id=request.state.request_id
    )


async def handle(request: Request, error: Exception) -> Response:
    """For the framework's table of exception handlers."""
    return error_response(request, error)


def _meant(request: Request, error: Exception) -> ServiceError:
    if isinstance(error, ServiceError):
        return error
    if isinstance(error, RequestValidationError):
        return invalid(error.errors())
    if isinstance(error, HTTPException):
        return _http(request.scope, error)
    log("unhandled error", level=logging.ERROR, error=error, request_id=request.state.request_id)
    return InternalError()


def _http(scope: Scope, error: HTTPException) -> ServiceError:
    if error.status_code == 404:
        return NotFoundError("There is nothing at this path. /docs lists what there is.")
    if error.status_code == 405:
        methods = ", ".join(_methods(scope))
        return MethodNotAllowedError(f"This path takes {methods}.", headers={"Allow": methods})
    return HttpError(error.status_code, error.detail, error.headers)


def _methods(scope: Scope) -> list[str]:
    """Of all routes at this path: the framework names those of the first only."""
    app: Any = scope["app"]
    routes = [
        route
        for route in app.routes
        if isinstance(route, Route) and route.matches(scope)[0] is not Match.NONE
    ]
    methods = {method for route in routes for method in route.methods or ()}
    return sorted(methods | ({"HEAD"} if "GET" in methods else set()))
