"""Cross-origin resource sharing: which sites may call the service from a browser.

The gateway has no CORS configuration. CORS is not authorization: other clients ignore it.
"""

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from service.errors import CorsRefusedError
from service.http.problems import problem_response
from service.settings import Settings

METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST")
REQUEST_HEADERS = (
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "X-API-Key",
    "X-Request-ID",
)
RESPONSE_HEADERS = (
    "Content-Disposition",
    "ETag",
    "Idempotent-Replayed",
    "Retry-After",
    "X-Process-Time",
    "X-Request-ID",
)


class CorsMiddleware(CORSMiddleware):
    """Starlette's middleware, with problem details for a refused preflight request."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        super().__init__(
            app,
            allow_origins=settings.cors_origins,
            allow_origin_regex=settings.cors_origin_regex,
            allow_methods=METHODS,
            allow_headers=REQUEST_HEADERS,
            expose_headers=RESPONSE_HEADERS,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        response = super().preflight_response(request_headers)
        return response if response.status_code == 200 else _RefusedPreflight(response)


class _RefusedPreflight(Response):
    """Renders the error when it is sent, because only then the path and request id are known."""

    def __init__(self, refused: Response) -> None:
        super().__init__()
        headers = {
            name: value
            for name, value in refused.headers.items()
            if not name.startswith("content-")
        }
        self._error = CorsRefusedError(
            "This origin, or this method or header, is not allowed to call from a browser.",
            headers=headers,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = problem_response(
            self._error, path=scope["path"], request_id=scope["state"]["request_id"]
        )
        await response(scope, receive, send)
