"""Routes that refuse unknown query parameters, and numbers that are not plain decimal digits.

An unknown name is a typo that would widen a filter. Python parses `1_0` as 10, and accepts blanks
and digits of other scripts; in a URL each of them is a mistake.
"""

import re
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from typing import Any, Final, get_args

from fastapi import APIRouter
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

_DECIMAL: Final[Mapping[type, re.Pattern[str]]] = {
    int: re.compile(r"-?[0-9]{1,20}", re.ASCII),
    # Pydantic refuses numbers that are not finite, with a message of its own.
    float: re.compile(
        r"-?([0-9]{1,20}(\.[0-9]{1,20})?(e[+-]?[0-9]{1,3})?|nan|inf|infinity)",
        re.ASCII | re.IGNORECASE,
    ),
}
_PARSING: Final = {int: "int_parsing", float: "float_parsing"}


class StrictRoute(APIRoute):
    """Checks the names and the numbers of parameters before FastAPI parses them.

    It also sets what all routes have in common. Routes return finished responses: without a
    response model FastAPI builds none when the function starts. The operation id and the summary
    follow from the function's name: `list_accounts` is `listAccounts`, "List accounts".
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        first, *others = endpoint.__name__.split("_")
        options["response_model"] = None
        options["operation_id"] = options["operation_id"] or first + "".join(
            map(str.capitalize, others)
        )
        options["summary"] = options["summary"] or " ".join([first.capitalize(), *others])
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()
        known = frozenset(_query_names(self.dependant))
        numbers = dict(_numbers(self.dependant))

        async def strict(request: Request) -> Response:
            errors = [
                *_unknown(request, known),
                *_not_decimal("query", request.query_params.multi_items(), numbers),
                *_not_decimal("path", request.path_params.items(), numbers),
            ]
            if errors:
                raise RequestValidationError(errors)
            return await handler(request)

        return strict


def new_router(tag: str) -> APIRouter:
    """Return a router whose routes are strict and have this tag in the OpenAPI document."""
    return APIRouter(route_class=StrictRoute, tags=[tag])


def _unknown(request: Request, known: frozenset[str]) -> Iterator[dict[str, Any]]:
    message = (
        f"Unknown parameter; known parameters: {', '.join(sorted(known))}"
        if known
        else "This path has no query parameters"
    )
    for name in request.query_params:
        if name not in known:
            yield {"loc": ("query", name), "type": "unknown_parameter", "msg": message}


def _not_decimal(
    location: str, values: Iterable[tuple[str, Any]], numbers: Mapping[str, type]
) -> Iterator[dict[str, Any]]:
    for name, value in values:
        kind = numbers.get(name)
        if kind is not None and not _DECIMAL[kind].fullmatch(str(value)):
            yield {"loc": (location, name), "type": _PARSING[kind], "msg": ""}


def _query_names(dependant: Dependant) -> Iterator[str]:
    for field in dependant.query_params:
        yield field.alias
    for dependency in dependant.dependencies:
        yield from _query_names(dependency)


def _numbers(dependant: Dependant) -> Iterator[tuple[str, type]]:
    """Yield the names of numeric path and query parameters, and their type, int or float."""
    for field in (*dependant.query_params, *dependant.path_params):
        annotation = field.field_info.annotation
        for kind in _DECIMAL:
            if annotation is kind or kind in get_args(annotation):
                yield field.alias, kind
    for dependency in dependant.dependencies:
        yield from _numbers(dependency)
