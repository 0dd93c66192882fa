"""Problem details (RFC 9457): the body of every error response."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from starlette.responses import Response

from service.errors import InvalidRequestError, ServiceError

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:problem-type:ai-success-insights:"
MAX_ECHO: Final = 100
"""Characters of an unknown parameter name that an error repeats."""

_MESSAGES: Final = {
    "bool_parsing": "Must be true or false",
    "bool_type": "Must be true or false",
    "date_from_datetime_parsing": "Must be a date as year-month-day, such as 2026-12-31",
    "date_parsing": "Must be a date as year-month-day, such as 2026-12-31",
    "date_type": "Must be a date as year-month-day, such as 2026-12-31",
    "enum": "Must be one of: {expected}",
    "extra_forbidden": "Is not a known field",
    "finite_number": "Must be a finite number",
    "float_parsing": "Must be a number",
    "float_type": "Must be a number",
    "greater_than": "Must be greater than {gt}",
    "greater_than_equal": "Must be at least {ge}",
    "int_from_float": "Must be a whole number",
    "int_parsing": "Must be a whole number",
    "int_parsing_size": "Must be a whole number of fewer digits",
    "int_type": "Must be a whole number",
    "json_invalid": "Must be valid JSON",
    "less_than": "Must be less than {lt}",
    "less_than_equal": "Must be at most {le}",
    "list_type": "Must be a list",
    "literal_error": "Must be one of: {expected}",
    "missing": "Is required",
    "model_attributes_type": "Must be an object",
    "model_type": "Must be an object",
    "string_pattern_mismatch": "Has characters that are not allowed here",
    "string_too_long": "Must have at most {max_length} characters",
    "string_too_short": "Must have at least {min_length} characters",
    "string_type": "Must be text",
    "string_unicode": "Must be valid Unicode",
    "too_long": "Must have at most {max_length} items",
    "too_short": "Must have at least {min_length} items",
}
"""By pydantic's error type; `{…}` are members of the error's context."""
_OWN_TYPES: Final = frozenset({"unknown_parameter", "unknown_factor", "invisible_character"})
"""Error types whose message this service writes."""


def validation_error(found: Sequence[Mapping[str, Any]]) -> InvalidRequestError:
    """Return the error for pydantic's errors: `loc`, `code` and `message` each, never the value."""
    errors = [
        {
            "loc": [
                part if isinstance(part, int) else str(part)[:MAX_ECHO] for part in error["loc"]
            ],
            "code": error["type"],
            "message": _message(error),
        }
        for error in found
    ]
    where = ".".join(str(part) for part in errors[0]["loc"])
    return InvalidRequestError(
        f"The request is invalid at {where}: {errors[0]['message']}.", errors=errors
    )


def _message(error: Mapping[str, Any]) -> str:
    template = _MESSAGES.get(error["type"])
    if template is None:
        return error["msg"] if error["type"] in _OWN_TYPES else "Is invalid"
    return template.format_map(error.get("ctx") or {})


def problem_body(error: ServiceError, *, path: str, request_id: str) -> dict[str, Any]:
    """Return the members of RFC 9457, `request_id`, and the error's own members."""
    return {
        "type": f"{TYPE_PREFIX}{error.code}",
        "title": error.title,
        "status": int(error.status),
        "detail": error.detail,
        "instance": quote(path, errors="replace"),
        "request_id": request_id,
        **error.members,
    }


def problem_response(error: ServiceError, *, path: str, request_id: str) -> Response:
    """Return the response for `error`. Its body is ASCII with escapes, which always encodes."""
    body = json.dumps(problem_body(error, path=path, request_id=request_id))
    return Response(body, status_code=error.status, media_type=MEDIA_TYPE, headers=error.headers)
