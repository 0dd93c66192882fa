"""The route that scores accounts again."""

import time
from typing import Annotated, Any, Final

from fastapi import Query, Request
from starlette.responses import Response

from service.database.connection import Statements
from service.http.openapi_responses import WRITE, json_responses
from service.http.state import today
from service.http.strict_query import new_router
from service.routes.idempotent_write import IdempotencyKey, write
from service.schema.limits import INT8_MAX

MAX_ACCOUNTS: Final = 100_000
"""Accounts of one request."""

router = new_router("scoring")


@router.post(
    "/health/recompute",
    responses=json_responses("Recomputed", "What was scored again.", *WRITE),
    summary="Recompute health scores",
)
async def recompute_health(
    request: Request,
    limit: Annotated[
        int,
        Query(
            ge=1,
            le=MAX_ACCOUNTS,
            description="The maximum number of accounts. Default: as many as there is time for.",
        ),
    ] = MAX_ACCOUNTS,
    after: Annotated[
        int,
        Query(
            alias="cursor",
            ge=0,
            le=INT8_MAX,
            description="`next_cursor` of the previous response.",
        ),
    ] = 0,
    key: IdempotencyKey = None,
) -> Response:
    """Scores accounts again as of today, in order of their ids.

    An account whose score is unchanged is not written.
    """
    from service.queries.scores import recompute

    started = time.monotonic()

    def work(statements: Statements) -> dict[str, Any]:
        done = recompute(statements, after=after, limit=limit, today=today(request))
        more = "" if done.next_cursor is None else " There are more."
        return {
            "message": f"Scored again: {done.changed} accounts changed.{more}",
            "accounts_updated": done.changed,
            "snapshots_created": done.snapshots,
            "computation_time_seconds": round(time.monotonic() - started, 3),
            "next_cursor": done.next_cursor,
        }

    return write(request, key, work)
