"""Routes for insights, which a language model writes, or rules when there is no usable response.

A failure of the model is no error for the client: the status is 200 in both cases.
"""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Query, Request
from starlette.responses import JSONResponse

from service.clock import now
from service.deadline import remaining
from service.errors import NotFoundError, UnavailableError
from service.http.account_path import AccountId, no_account
from service.http.openapi_responses import WRITE, json_responses
from service.http.state import scored_database, today
from service.http.strict_query import new_router
from service.logs import log

if TYPE_CHECKING:
    from service.insights.model import Model
    from service.insights.subject import Subject
    from service.queries.insights import Stored

Refresh = Annotated[
    bool, Query(description="Request a new insight from the model even if the data is unchanged.")
]

router = new_router("insights")


@router.post(
    "/insights/portfolio",
    responses=json_responses("PortfolioInsight", "The insight.", *WRITE),
)
async def create_portfolio_insight(request: Request, refresh: Refresh = False) -> JSONResponse:
    """Describes all accounts together: findings, risks and opportunities.

    An insight of the model is stored, and returned again while the data is unchanged.
    """
    from service.insights import portfolio
    from service.queries import insights

    db = scored_database(request)
    facts, stored = insights.all_accounts(db, today(request))
    return await _insight(
        request,
        portfolio.subject(facts),
        None if refresh else stored,
        lambda insight: insights.keep(db, None, insight),
    )


@router.post(
    "/insights/account/{account_id}",
    responses=json_responses("AccountInsight", "The insight.", *WRITE, NotFoundError),
)
async def create_account_insight(
    request: Request, account_id: AccountId, refresh: Refresh = False
) -> JSONResponse:
    """Explains the health of an account, and recommends actions.

    An insight of the model is stored, and returned again while the data is unchanged.
    """
    from service.insights import account
    from service.queries import insights

    db = scored_database(request)
    found = insights.account(db, account_id, today(request))
    if found is None:
        raise no_account(account_id)
    facts, stored = found
    return await _insight(
        request,
        account.subject(facts),
        None if refresh else stored,
        lambda insight: insights.keep(db, account_id, insight),
    )


async def _insight(
    request: Request, subject: "Subject", stored: "Stored | None", store: Callable[["Stored"], None]
) -> JSONResponse:
    """Return the stored insight if it has the same data and model, else a new one of the model.

    Without a usable response of the model, return the insight that rules write.
    """
    from service.insights.failure import InsightError
    from service.queries.insights import Stored

    model = _model(request)
    if (
        stored is not None
        and model.configured
        and (stored.data_version, stored.model) == (subject.data_version, model.name)
    ):
        return _response(subject, stored.content, "model", stored.model, stored.generated_at)
    try:
        content = await model.ask(subject, remaining=remaining())
    except InsightError as error:
        log(
            "insight by rule",
            level=logging.INFO if error.reason == "not_configured" else logging.WARNING,
            insight=subject.kind,
            reason=error.reason,
            status=error.status,
            request_id=request.state.request_id,
        )
        return _response(subject, subject.rules, "rules", None, now())
    insight = Stored(subject.data_version, model.name, content, now())
    try:
        store(insight)
    except UnavailableError:
        log(
            "the insight was not kept",
            level=logging.WARNING,
            insight=subject.kind,
            request_id=request.state.request_id,
        )
    return _response(subject, content, "model", insight.model, insight.generated_at)


def _response(
    subject: "Subject", content: Any, source: str, model: str | None, generated_at: str
) -> JSONResponse:
    origin = {
        "generated_at": generated_at,
        "source": source,
        "model": model,
        "data_version": subject.data_version,
    }
    return JSONResponse({**subject.head, **content, **origin})


def _model(request: Request) -> "Model":
    """Return the model client of the execution environment, created with the first insight."""
    state = request.app.state
    if not hasattr(state, "model"):
        from service.insights.model import Model

        settings = state.settings
        state.model = Model(
            key=settings.openai_api_key,
            name=settings.openai_model,
            base_url=settings.openai_base_url,
            seconds=settings.openai_seconds,
        )
    return state.model
