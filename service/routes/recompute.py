"""Accounts scored again."""

import time
from typing import Annotated, Any, Final

from fastapi import Query, Request
from starlette.responses import Response

from service.clock import today
from service.database.connection import Statements
from service.http.openapi_responses import WRITE, json_responses
from service.http.strict_query import router as new_router
from service.routes.idempotent_write import IdempotencyKey, write
from service.schema.limits import INT8_MAX

MOST: Final = 100_000
"""Accounts at once."""

router = new_router()


@router.post(
    "/health/recompute",
    responses=json_responses("Recomputed", "What was scored again.", *WRITE),
    response_model=None,
)
async def recompute_health(
    request: Request,
    limit: Annotated[
        int,
        Query(
            ge=1, le=MOST, description="Accounts at most. Default: as many as there is time for."
        ),
    ] = MOST,
    after: Annotated[
        int,
        Query(alias="cursor", ge=0, le=INT8_MAX, description="`next_cursor` of the answer before."),
    ] = 0,
    key: IdempotencyKey = None,
) -> Response:
    """Scores accounts again as of today, in the order of their ids. One that would be as it is already is left alone."""
    from service.queries.scores import recompute

    began = time.monotonic()

    def work(statements: Statements) -> dict[str, Any]:
        done = recompute(statements, after=after, limit=limit, today=today())
        return {
            "message": f"Scored again: {done.changed} accounts changed.{'' if done.next_cursor is None else ' There are more.'}",
            "accounts_updated": done.changed,
            "snapshots_created": done.snapshots,
            "computation_time_seconds": round(time.monotonic() - began, 3),
            "next_cursor": done.next_cursor,
        }

    return write(request, key, work)
