"""JSON bodies, read by the request that has one: the framework would build each body's model at the start, and need more for it."""

from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from service.http.problems import invalid

M = TypeVar("M", bound=BaseModel)

MAX_ERRORS: Final = 100


async def read(request: Request, model: type[M]) -> M:
    """The body as `model`, without conversions that JSON has no need of. Raises `InvalidRequestError`, which repeats no value."""
    try:
        return model.model_validate_json(await request.body(), strict=True)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)[:MAX_ERRORS]
    raise invalid([{**each, "loc": ("body", *each["loc"])} for each in found])


def request_body(schema: str, *, required: bool) -> dict[str, Any]:
    """For a route's `openapi_extra`: its body, with a schema of `service.schema.requests`."""
    return {
        "requestBody": {
            "required": required,
            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}},
        }
    }
