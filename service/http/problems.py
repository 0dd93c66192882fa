"""Problem details (RFC 9457): the body of every error response."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from service.errors import InvalidRequestError, ServiceError

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:problem-type:ai-success-insights:"
_LONGEST_ECHO = 100


def invalid(found: Sequence[Mapping[str, Any]]) -> InvalidRequestError:
    """From pydantic's errors: keeps where, which rule and its message, drops the value that broke it."""
    errors = [
        {
            "loc": [
                part if isinstance(part, int) else str(part)[:_LONGEST_ECHO]
                for part in error["loc"]
            ],
            "code": error["type"],
            "message": error["msg"],
        }
        for error in found
    ]
    where = ".".join(str(part) for part in errors[0]["loc"])
    return InvalidRequestError(
        f"The request is invalid at {where}: {errors[0]['message']}.", errors=errors
    )


def problem_body(error: ServiceError, *, path: str, request_id: str) -> dict[str, Any]:
    """The members of RFC 9457, `request_id`, and those of the error's own."""
    return {
        "type": f"{TYPE_PREFIX}{error.code}",
        "title": error.title,
        "status": int(error.status),
        "detail": error.detail,
        "instance": quote(path, errors="replace"),
        "request_id": request_id,
        **error.members,
    }


def problem(error: ServiceError, *, path: str, request_id: str) -> Response:
    """The answer to `error`. Its text is ASCII (escaped), so that nothing in it can fail to be encoded."""
    body = json.dumps(problem_body(error, path=path, request_id=request_id))
    return Response(body, status_code=error.status, media_type=MEDIA_TYPE, headers=error.headers)
