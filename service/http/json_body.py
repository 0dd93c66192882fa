"""Reads JSON request bodies on demand.

FastAPI would build the model of each body when the function starts, and import more for it.
"""

from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from service.http.problems import validation_error

M = TypeVar("M", bound=BaseModel)

MAX_ERRORS: Final = 100


async def read(request: Request, model: type[M]) -> M:
    """Return the body as `model`, validated strictly: "5" is not a number.

    Raises `InvalidRequestError` with at most `MAX_ERRORS` errors, which never hold a value.
    """
    try:
        return model.model_validate_json(await request.body(), strict=True)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)[:MAX_ERRORS]
    raise validation_error([{**each, "loc": ("body", *each["loc"])} for each in found])


def request_body(schema: str, *, required: bool) -> dict[str, Any]:
    """Return the `openapi_extra` of a route whose body is a model of `service.schema.requests`."""
    return {
        "requestBody": {
            "required": required,
            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}},
        }
    }
