"""Insights: in words of a model where one is configured and answers, else by rule. Either way 200."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Query, Request
from starlette.responses import JSONResponse

from service.clock import now, today
from service.deadline import remaining
from service.errors import NotFoundError, UnavailableError
from service.http.account_path import AccountId, no_account
from service.http.openapi_responses import WRITE, json_responses
from service.http.strict_query import router as new_router
from service.logs import log

if TYPE_CHECKING:
    from service.insights.model import Model
    from service.insights.subject import Subject
    from service.queries.insights import Stored

Refresh = Annotated[
    bool, Query(description="Ask the model again, also when the data is as it was.")
]

router = new_router()


@router.post(
    "/insights/portfolio",
    responses=json_responses("PortfolioInsight", "The insight.", *WRITE),
    response_model=None,
)
async def portfolio_insight(request: Request, refresh: Refresh = False) -> JSONResponse:
    """What stands out of all accounts together. A model's answer is kept, and given again while the data is the same."""
    from service.insights import portfolio
    from service.queries import insights

    database = request.app.state.database
    facts, stored = insights.all_accounts(database, today())
    return await _answer(
        request,
        portfolio.subject(facts),
        None if refresh else stored,
        lambda told: insights.keep(database, None, told),
    )


@router.post(
    "/insights/account/{account_id}",
    responses=json_responses("AccountInsight", "The insight.", *WRITE, NotFoundError),
    response_model=None,
)
async def account_insight(
    request: Request, account_id: AccountId, refresh: Refresh = False
) -> JSONResponse:
    """Why an account is as it is, and what to do. A model's answer is kept, and given again while the data is the same."""
    from service.insights import account
    from service.queries import insights

    database = request.app.state.database
    found = insights.account(database, account_id, today())
    if found is None:
        raise no_account(account_id)
    facts, stored = found
    return await _answer(
        request,
        account.subject(facts),
        None if refresh else stored,
        lambda told: insights.keep(database, account_id, told),
    )


async def _answer(
    request: Request, subject: "Subject", stored: "Stored | None", keep: Callable[["Stored"], None]
) -> JSONResponse:
    """The stored insight if it is about the same data, by the same model; else what the model says now, which is kept; else by rule."""
    from service.insights.failure import InsightError
    from service.queries.insights import Stored

    model = _model(request)
    if (
        stored is not None
        and model.configured
        and (stored.data_version, stored.model) == (subject.data_version, model.name)
    ):
        return _insight(subject, stored.content, "model", stored.model, stored.generated_at)
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
        return _insight(subject, subject.rules, "rules", None, now())
    told = Stored(subject.data_version, model.name, content, now())
    try:
        keep(told)
    except UnavailableError:
        log(
            "the insight was not kept",
            level=logging.WARNING,
            insight=subject.kind,
            request_id=request.state.request_id,
        )
    return _insight(subject, content, "model", told.model, told.generated_at)


def _insight(
    subject: "Subject", content: Any, source: str, model: str | None, generated_at: str
) -> JSONResponse:
    about = {
        "generated_at": generated_at,
        "source": source,
        "model": model,
        "data_version": subject.data_version,
    }
    return JSONResponse({**subject.head, **content, **about})


def _model(request: Request) -> "Model":
    """The environment's own, made at the first insight."""
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
