"""Data into the service."""

import secrets
from typing import Annotated, Literal

from fastapi import Query, Request
from starlette.responses import JSONResponse

from service.clock import today
from service.errors import InvalidRequestError
from service.routes.documented import WRITE, answers
from service.routes.strict import router as new_router

MAX_COUNT = 1000
MAX_SEED = 2**53 - 1
"""The largest integer that every JSON reader keeps."""

router = new_router()


@router.post("/ingest/generate-mock", responses=answers("Generated", "What was added.", *WRITE), response_model=None)
async def generate_mock(
    request: Request,
    count: Annotated[int, Query(ge=1, le=MAX_COUNT)] = 20,
    seed: Annotated[
        int | None, Query(ge=0, le=MAX_SEED, description="The same seed makes the same accounts. Default: a random one.")
    ] = None,
    replace: Annotated[bool, Query(description="Remove every account first; needs `confirm=replace-all`.")] = False,
    confirm: Annotated[Literal["replace-all"] | None, Query()] = None,
) -> JSONResponse:
    """Adds sample accounts with 180 days of history. One whose name is there already is left as it is."""
    from service.queries import samples  # only here: reads need neither it nor the random numbers that it draws

    if replace and confirm is None:
        raise InvalidRequestError(
            "replace=true removes every account: say confirm=replace-all as well.",
            errors=[{"loc": ["query", "confirm"], "code": "confirmation_missing", "message": "Must be replace-all when replace is true"}],
        )
    chosen = secrets.randbelow(2**32) if seed is None else seed
    return JSONResponse(samples.add(request.app.state.database, count=count, seed=chosen, replace=replace, today=today()))
