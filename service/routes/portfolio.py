"""Routes for key figures and lists of all accounts together."""

from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response

from service.clock import now
from service.http.conditional import IfNoneMatch, weak_json_response
from service.http.openapi_responses import READ, json_responses
from service.http.state import scored_database, time_zone, today
from service.http.strict_query import new_router
from service.queries import attention, movers, portfolio

router = new_router("portfolio")


@router.get(
    "/portfolio/metrics",
    responses=json_responses("PortfolioMetrics", "The key figures.", *READ, etag=True),
)
@router.get(
    "/portfolio/summary",
    responses=json_responses("PortfolioMetrics", "The key figures.", *READ, etag=True),
    operation_id="getPortfolioSummary",
    summary="Get portfolio summary (the same as the metrics)",
)
async def get_portfolio_metrics(request: Request, if_none_match: IfNoneMatch = None) -> Response:
    """Returns totals, counts and averages of all accounts, exact and current."""
    return weak_json_response(
        portfolio.metrics(scored_database(request), today(request)), if_none_match, as_of=now()
    )


@router.get(
    "/portfolio/attention",
    responses=json_responses("Attention", "The accounts.", *READ, etag=True),
)
async def list_accounts_needing_attention(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=50)] = 20,
    days: Annotated[
        int,
        Query(
            ge=1,
            le=365,
            description="Weights accounts that renew within this many days; the sooner, the more.",
        ),
    ] = 180,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Lists the accounts that need attention, highest priority first.

    `priority` is the ARR times the part of the score that is missing to 100, times a factor that
    grows from 1 to 2 as the renewal comes closer. Green and unscored accounts are left out.
    """
    found = attention.attention(scored_database(request), today(request), days=days, limit=limit)
    return weak_json_response(found, if_none_match, as_of=now())


@router.get(
    "/portfolio/renewals",
    responses=json_responses("Renewals", "The months.", *READ, etag=True),
)
async def list_renewals(
    request: Request,
    days: Annotated[
        int, Query(ge=1, le=730, description="Days from today; the last day is included.")
    ] = 180,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Lists upcoming renewals by month, in total and by bucket. Months without one are left out."""
    return weak_json_response(
        portfolio.renewals(scored_database(request), today(request), days), if_none_match
    )


@router.get(
    "/portfolio/movers",
    responses=json_responses("Movers", "The accounts.", *READ, etag=True),
)
async def list_movers(
    request: Request,
    days: Annotated[int, Query(ge=1, le=365)] = 30,
    limit: Annotated[int, Query(ge=1, le=50)] = 10,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Lists the accounts whose score fell and rose most.

    The change is from the score in force at the beginning of the last `days` days to the current
    one; for an account that came later, from its first score.
    """
    found = movers.movers(
        scored_database(request), today(request), time_zone(request), days=days, limit=limit
    )
    return weak_json_response(found, if_none_match)
