"""The application: what a request passes, outermost first, and where it arrives."""

from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from service.database.connection import Database
from service.errors import ServiceError
from service.http.api_keys import ApiKeyMiddleware
from service.http.compression import CompressionMiddleware
from service.http.cors import Cors
from service.http.exception_handlers import ExceptionMiddleware, handle
from service.http.request_middleware import RequestContextMiddleware
from service.routes import ROUTES
from service.settings import Settings

DESCRIPTION = "Accounts of a customer-success team: how healthy each is, why, and what to do next."


class Application(FastAPI):
    """FastAPI, whose OpenAPI document takes its schemas and its keys from elsewhere, when it is asked for."""

    def openapi(self) -> dict[str, Any]:
        from service.http.openapi import with_keys, with_schemas

        return with_keys(with_schemas(super().openapi()), self.state.settings)


def create_app(settings: Settings) -> FastAPI:
    """Connects to nothing yet. `app.state` holds `settings` and `database`."""
    app = Application(
        title="AI Success Insights",
        description=DESCRIPTION,
        version=settings.version,
        routes=list(
            ROUTES
        ),  # not included routers: those are built a second time, at the first request
        redirect_slashes=False,
        docs_url=None,  # `routes/documentation.py` serves the page without a CDN
        openapi_url=None,
        redoc_url=None,
        middleware=[
            Middleware(RequestContextMiddleware),
            Middleware(CompressionMiddleware),
            Middleware(Cors, settings),
            Middleware(ExceptionMiddleware),
            Middleware(ApiKeyMiddleware, settings),
        ],
        exception_handlers={
            ServiceError: handle,
            RequestValidationError: handle,
            HTTPException: handle,
        },
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.settings = settings
    app.state.database = Database(settings.database_url)
    return app
