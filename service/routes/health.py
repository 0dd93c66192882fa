"""Whether the service and its database are there."""

from fastapi import Request
from starlette.responses import JSONResponse

from service.http.openapi_responses import HEALTH, NO_DATABASE, json_responses
from service.http.strict_query import router as new_router
from service.queries.health import ping
from service.settings import SERVICE_NAME

router = new_router()


@router.get(
    "/",
    responses=json_responses("Service", "The service answers.", *NO_DATABASE),
    response_model=None,
)
async def describe(request: Request) -> JSONResponse:
    """What answers here. Touches no database."""
    settings = request.app.state.settings
    return JSONResponse(
        {
            "status": "healthy",
            "service": SERVICE_NAME,
            "version": settings.version,
            "stage": settings.stage,
        }
    )


@router.get(
    "/health/live",
    responses=json_responses("Alive", "The process is alive.", *NO_DATABASE),
    response_model=None,
)
async def live() -> JSONResponse:
    """Touches no database."""
    return JSONResponse({"status": "alive"})


@router.get(
    "/health/ready",
    responses=json_responses("Ready", "The database answers too.", *HEALTH),
    response_model=None,
)
async def ready(request: Request) -> JSONResponse:
    """503 while the database does not answer."""
    ping(request.app.state.database)
    return JSONResponse({"status": "ready"})
