"""Every error that a client can meet: raised by the service as these classes, answered as RFC 9457 problem details."""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:problem-type:ai-success-insights:"
RETRY_AFTER_SECONDS = 2
_LONGEST_ECHO = 100


class ServiceError(Exception):
    """`detail` is a sentence for the client that says what to do; `code` names the kind for programs."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    code = "internal"
    title = "Internal error"

    def __init__(self, detail: str, *, headers: Mapping[str, str] | None = None, errors: Sequence[Mapping[str, Any]] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = dict(headers or {})
        self.errors = errors

    @property
    def members(self) -> Mapping[str, Any]:
        """What the problem details have beyond those of RFC 9457."""
        return {} if self.errors is None else {"errors": self.errors}


class UnauthorizedError(ServiceError):
    """One answer for a missing, a wrong and an unknown key."""

    status = HTTPStatus.UNAUTHORIZED
    code = "unauthorized"
    title = "API key needed"

    def __init__(self) -> None:
        super().__init__("This needs a valid API key, sent as X-API-Key: id.secret.", headers={"WWW-Authenticate": "ApiKey"})


class ForbiddenError(ServiceError):
    status = HTTPStatus.FORBIDDEN
    code = "forbidden"
    title = "Scope does not suffice"

    def __init__(self) -> None:
        super().__init__("This API key may read only; use one with the scope write.")


class NotFoundError(ServiceError):
    status = HTTPStatus.NOT_FOUND
    code = "not-found"
    title = "Not found"


class MethodNotAllowedError(ServiceError):
    status = HTTPStatus.METHOD_NOT_ALLOWED
    code = "method-not-allowed"
    title = "Method not allowed"


class CorsRefusedError(ServiceError):
    status = HTTPStatus.BAD_REQUEST
    code = "cors-refused"
    title = "Cross-origin request refused"


class InvalidRequestError(ServiceError):
    """`errors`: `{loc, code, message}` each, without the offending value."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "invalid"
    title = "Invalid request"


class InvalidRowsError(InvalidRequestError):
    """A file that was refused as a whole. `errors`: `{row, column, code, message}` each, the first ones of `total`."""

    code = "invalid-rows"
    title = "Invalid file"

    def __init__(self, detail: str, *, errors: Sequence[Mapping[str, Any]], total: int) -> None:
        super().__init__(detail, errors=errors)
        self.total = total

    @property
    def members(self) -> Mapping[str, Any]:
        return {**super().members, "total_errors": self.total}


class TooLargeError(ServiceError):
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "too-large"
    title = "Content too large"


class UnsupportedMediaTypeError(ServiceError):
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    code = "unsupported-media-type"
    title = "Unsupported media type"


class ConflictError(ServiceError):
    """`retry`: the same request can succeed in a moment, as it is."""

    status = HTTPStatus.CONFLICT
    code = "conflict"
    title = "Conflict"

    def __init__(self, detail: str, *, retry: bool = False) -> None:
        super().__init__(detail, headers={"Retry-After": str(RETRY_AFTER_SECONDS)} if retry else None)


class PreconditionFailedError(ServiceError):
    status = HTTPStatus.PRECONDITION_FAILED
    code = "precondition-failed"
    title = "Precondition failed"


class UnavailableError(ServiceError):
    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "unavailable"
    title = "Temporarily unavailable"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


class InternalError(ServiceError):
    def __init__(self) -> None:
        super().__init__("Something went wrong on our side. Try again, and quote the request id if it stays.")


class HttpError(ServiceError):
    """What the framework refuses on its own, by status."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail, headers=headers)
        self.status = HTTPStatus(status)
        self.title = self.status.phrase
        self.code = self.title.lower().replace(" ", "-")


def invalid(found: Sequence[Mapping[str, Any]]) -> InvalidRequestError:
    """From pydantic's errors: keeps where, which rule and its message, drops the value that broke it."""
    errors = [
        {
            "loc": [part if isinstance(part, int) else str(part)[:_LONGEST_ECHO] for part in error["loc"]],
            "code": error["type"],
            "message": error["msg"],
        }
        for error in found
    ]
    where = ".".join(str(part) for part in errors[0]["loc"])
    return InvalidRequestError(f"The request is invalid at {where}: {errors[0]['message']}.", errors=errors)


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
