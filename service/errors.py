"""The errors that the service raises for its clients; `service.http.problems` renders them."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

RETRY_AFTER_SECONDS = 2


class ServiceError(Exception):
    """An error that a client gets as problem details.

    `detail` says in a sentence what is wrong and what to do; `code` identifies the kind of error.
    """

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    code = "internal"
    title = "Internal error"

    def __init__(
        self,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = dict(headers or {})
        self.errors = errors

    @property
    def members(self) -> Mapping[str, Any]:
        """Members of the problem details that RFC 9457 does not define."""
        return {} if self.errors is None else {"errors": self.errors}


class UnauthorizedError(ServiceError):
    """The same response for a missing key, a wrong secret and an unknown key id."""

    status = HTTPStatus.UNAUTHORIZED
    code = "unauthorized"
    title = "API key required"

    def __init__(self) -> None:
        super().__init__(
            "This request needs a valid API key, sent as X-API-Key: id.secret.",
            headers={"WWW-Authenticate": "ApiKey"},
        )


class ForbiddenError(ServiceError):
    status = HTTPStatus.FORBIDDEN
    code = "forbidden"
    title = "Insufficient scope"

    def __init__(self) -> None:
        super().__init__("This API key has the scope read; use one with the scope write.")


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
    """`errors` are `{loc, code, message}` each, without the invalid value."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "invalid"
    title = "Invalid request"


class InvalidRowsError(InvalidRequestError):
    """A file that was rejected as a whole.

    `errors` are `{row, column, code, message}` each, the first of `total`.
    """

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
    """retry: the same request, unchanged, can succeed in a few seconds."""

    status = HTTPStatus.CONFLICT
    code = "conflict"
    title = "Conflict"

    def __init__(
        self,
        detail: str,
        *,
        retry: bool = False,
        errors: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if retry else None
        super().__init__(detail, headers=headers, errors=errors)


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
        super().__init__(
            "The service has an internal error. Try again; if it persists, report the request id."
        )


class HttpError(ServiceError):
    """An HTTP status that the framework raises and no other class has."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail, headers=headers)
        self.status = HTTPStatus(status)
        self.title = self.status.phrase
        self.code = self.title.lower().replace(" ", "-")
