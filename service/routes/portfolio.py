"""All accounts together."""

from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response

from service.clock import now, today
from service.http.conditional import IfNoneMatch, answer_of
from service.http.openapi_responses import READ, json_responses
from service.http.strict_query import router as new_router
from service.queries import attention, movers, portfolio

router = new_router()


@router.get(
    "/portfolio/metrics",
    responses=json_responses("PortfolioMetrics", "The numbers.", *READ, etag=True),
    response_model=None,
)
@router.get(
    "/portfolio/summary",
    responses=json_responses(
        "PortfolioMetrics", "The same as /portfolio/metrics.", *READ, etag=True
    ),
    response_model=None,
)
async def metrics(request: Request, if_none_match: IfNoneMatch = None) -> Response:
    """Sums, counts and averages over all accounts, exact at this moment."""
    return answer_of(
        portfolio.metrics(request.app.state.database, today()), if_none_match, as_of=now()
    )


@router.get(
    "/portfolio/attention",
    responses=json_responses("Attention", "The accounts.", *READ, etag=True),
    response_model=None,
)
async def accounts_that_need_someone(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=50)] = 20,
    days: Annotated[
        int,
        Query(
            ge=1, le=365, description="A renewal within so many days presses, the nearer the more."
        ),
    ] = 180,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """The accounts that need someone, the most pressing first: `priority` is the ARR times the part of the score that is lost, and up to
    twice that the nearer the renewal is. Green accounts, and those of which too little is known, are left out."""
    accounts = attention.attention(request.app.state.database, today(), days=days, limit=limit)
    return answer_of({"accounts": accounts}, if_none_match, as_of=now())


@router.get(
    "/portfolio/renewals",
    responses=json_responses("Renewals", "The months.", *READ, etag=True),
    response_model=None,
)
async def renewals(
    request: Request,
    days: Annotated[
        int, Query(ge=1, le=730, description="From today on; the last day is included.")
    ] = 180,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """What comes up for renewal, by month, in all and by bucket. Months without a renewal are left out."""
    return answer_of(portfolio.renewals(request.app.state.database, today(), days), if_none_match)


@router.get(
    "/portfolio/movers",
    responses=json_responses("Movers", "The accounts.", *READ, etag=True),
    response_model=None,
)
async def accounts_that_moved(
    request: Request,
    days: Annotated[int, Query(ge=1, le=365)] = 30,
    limit: Annotated[int, Query(ge=1, le=50)] = 10,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Whose score fell and rose the most: from the first snapshot of the last `days` to now."""
    return answer_of(
        movers.movers(request.app.state.database, today(), days=days, limit=limit), if_none_match
    )
