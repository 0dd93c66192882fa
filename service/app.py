"""Creates the application: middleware, outermost first, and routes."""

from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from service.database.connection import Database
from service.errors import ServiceError
from service.http.api_keys import ApiKeyMiddleware
from service.http.compression import CompressionMiddleware
from service.http.cors import CorsMiddleware
from service.http.daily_scores import DailyScores
from service.http.exception_handlers import ExceptionMiddleware, handle_exception
from service.http.request_middleware import RequestContextMiddleware
from service.routes import ROUTES
from service.settings import Settings

DESCRIPTION = (
    "Accounts of a customer-success team: the health of each account, the reasons for it, and what "
    "to do next."
)


class Application(FastAPI):
    """FastAPI with an OpenAPI document that is completed when it is requested."""

    def openapi(self) -> dict[str, Any]:
        from service.http.openapi import with_keys, with_schemas

        return with_keys(with_schemas(super().openapi()), self.state.settings)


def create_app(settings: Settings) -> FastAPI:
    """Return the application, not yet connected.

    `app.state` has what `service.http.state` returns.
    """
    app = Application(
        title="AI Success Insights",
        description=DESCRIPTION,
        version=settings.version,
        # Not include_router, which builds every route a second time, at the first request.
        routes=list(ROUTES),
        redirect_slashes=False,
        docs_url=None,  # `routes/documentation.py` serves the page without a CDN
        openapi_url=None,
        redoc_url=None,
        middleware=[
            Middleware(RequestContextMiddleware),
            Middleware(CompressionMiddleware),
            Middleware(CorsMiddleware, settings),
            Middleware(ExceptionMiddleware),
            Middleware(ApiKeyMiddleware, settings),
        ],
        exception_handlers={
            ServiceError: handle_exception,
            RequestValidationError: handle_exception,
            HTTPException: handle_exception,
        },
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.settings = settings
    app.state.database = Database(settings.database_url)
    app.state.daily_scores = DailyScores(settings.time_zone)
    return app
