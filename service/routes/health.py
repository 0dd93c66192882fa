"""Routes that report whether the service and its database are available."""

from fastapi import Request
from starlette.responses import JSONResponse

from service.http.openapi_responses import HEALTH, PUBLIC, json_responses
from service.http.state import database
from service.http.strict_query import new_router
from service.queries.health import ping
from service.settings import SERVICE_NAME

router = new_router("health")


@router.get("/", responses=json_responses("Service", "The service is running.", *PUBLIC))
async def get_service(request: Request) -> JSONResponse:
    """Returns the name, version and stage of the service. Does not use the database."""
    settings = request.app.state.settings
    return JSONResponse(
        {
            "status": "healthy",
            "service": SERVICE_NAME,
            "version": settings.version,
            "stage": settings.stage,
        }
    )


@router.get("/health/live", responses=json_responses("Alive", "The process is alive.", *PUBLIC))
async def get_liveness() -> JSONResponse:
    """Returns 200 while the process is alive. Does not use the database."""
    return JSONResponse({"status": "alive"})


@router.get(
    "/health/ready", responses=json_responses("Ready", "The database responds too.", *HEALTH)
)
async def get_readiness(request: Request) -> JSONResponse:
    """Returns 200 when the database responds, otherwise 503."""
    ping(database(request))
    return JSONResponse({"status": "ready"})
