"""Routes that refuse query names which they do not know, so that a typo never widens a filter."""

from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from fastapi import APIRouter
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response


class StrictRoute(APIRoute):
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()
        known = frozenset(_query_names(self.dependant))

        async def strict(request: Request) -> Response:
            unknown = [name for name in request.query_params if name not in known]
            if unknown:
                message = (
                    f"Unknown parameter; known are: {', '.join(sorted(known))}"
                    if known
                    else "This path takes no query parameters"
                )
                raise RequestValidationError(
                    [
                        {"loc": ("query", name), "type": "unknown_parameter", "msg": message}
                        for name in unknown
                    ]
                )
            return await handler(request)

        return strict


def router() -> APIRouter:
    return APIRouter(route_class=StrictRoute)


def _query_names(dependant: Dependant) -> Iterator[str]:
    for field in dependant.query_params:
        yield field.alias
    for dependency in dependant.dependencies:
        yield from _query_names(dependency)
