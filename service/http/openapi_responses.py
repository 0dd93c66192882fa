"""Declares the responses of routes for the OpenAPI document.

They refer to schemas by name. `service.http.openapi` adds the schemas when the document is
requested, so that no other request imports the models.
"""

from typing import Any, Final

from service.errors import (
    ConflictError,
    ForbiddenError,
    InvalidRequestError,
    InvalidRowsError,
    NotFoundError,
    PreconditionFailedError,
    ServiceError,
    TooLargeError,
    UnauthorizedError,
    UnavailableError,
    UnsupportedMediaTypeError,
)
from service.http.problems import MEDIA_TYPE, problem_body

_PATH: Final = "/accounts/77"
_UPLOAD_PATH: Final = "/ingest/csv"
_UPLOAD: Final = (InvalidRowsError, TooLargeError, UnsupportedMediaTypeError)
_EXAMPLES: Final = (
    UnauthorizedError(),
    ForbiddenError(),
    NotFoundError("There is no account 77."),
    ConflictError("Another request changed the same data at the same time. Try again."),
    PreconditionFailedError(
        "The account has changed since you read it: read it again, "
        "then send the change with its new ETag."
    ),
    InvalidRequestError(
        "The request is invalid at query.page: Must be at least 1.",
        errors=[
            {
                "loc": ["query", "page"],
                "code": "greater_than_equal",
                "message": "Must be at least 1",
            }
        ],
    ),
    InvalidRowsError(
        "Nothing was written. Correct row 3, column renewal_date: "
        "A date is expected as year-month-day, such as 2026-12-31.",
        errors=[
            {
                "row": 3,
                "column": "renewal_date",
                "code": "date_expected",
                "message": "A date is expected as year-month-day, such as 2026-12-31.",
            }
        ],
        total=1,
    ),
    TooLargeError(
        "The file has 4194305 bytes; the limit is 4194304. Split it, with the header in each part."
    ),
    UnsupportedMediaTypeError("Send one part of multipart/form-data named file, with a filename."),
    UnavailableError("The database cannot be reached. Try again in a few seconds."),
)

PUBLIC: Final = (InvalidRequestError,)
"""Errors of a route that needs neither a key nor the database."""
HEALTH: Final = (InvalidRequestError, UnavailableError)
STATELESS: Final = (UnauthorizedError, InvalidRequestError)
"""Errors of a route that does not use the database."""
READ: Final = (UnauthorizedError, InvalidRequestError, UnavailableError)
WRITE: Final = (
    UnauthorizedError,
    ForbiddenError,
    InvalidRequestError,
    UnavailableError,
    ConflictError,
)
IMPORT: Final = (
    UnauthorizedError,
    ForbiddenError,
    TooLargeError,
    UnsupportedMediaTypeError,
    InvalidRowsError,
    UnavailableError,
    ConflictError,
)


_ETAG: Final = {
    "ETag": {"description": "Of this response, for `If-None-Match`.", "schema": {"type": "string"}}
}


def json_responses(
    schema: str, description: str, *errors: type[ServiceError], etag: bool = False
) -> dict[int | str, dict[str, Any]]:
    """Return a route's `responses`: 200 with a model of `service.schema.responses`, and its errors.

    etag: the response has an ETag, and can be a 304.
    """
    documented = _errors(errors)
    documented[200] = _content(
        "application/json", {"$ref": f"#/components/schemas/{schema}"}, description
    )
    if etag:
        documented[200]["headers"] = _ETAG
        documented[304] = {
            "description": "Not modified: what `If-None-Match` names is still current.",
            "headers": _ETAG,
        }
    return documented


def csv_responses(
    description: str, example: str, *errors: type[ServiceError]
) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route that returns a CSV file."""
    return {
        200: _content("text/csv", {"type": "string"}, description, example=example),
        **_errors(errors),
    }


def _errors(errors: tuple[type[ServiceError], ...]) -> dict[int | str, dict[str, Any]]:
    documented: dict[int | str, dict[str, Any]] = {}
    for example in _EXAMPLES:
        if type(example) in errors:
            path = _UPLOAD_PATH if isinstance(example, _UPLOAD) else _PATH
            body = problem_body(example, path=path, request_id="5f0c9f6d0f5e4c1a8f7b2f6f0a3d9e11")
            documented[int(example.status)] = _content(
                MEDIA_TYPE, {"$ref": "#/components/schemas/Problem"}, example.title, example=body
            )
    return documented


def _content(
    media_type: str, schema: dict[str, Any], description: str, **options: Any
) -> dict[str, Any]:
    return {"description": description, "content": {media_type: {"schema": schema, **options}}}
