"""Accounts, one or a page of them."""

from typing import Annotated

from fastapi import Depends, Path, Query, Request
from pydantic import StringConstraints

from service import bounds
from service.bounds import Segment
from service.clock import today
from service.errors import NotFoundError
from service.queries import accounts
from service.queries.accounts import DEFAULT_SORT, Filter, Sort
from service.responses import JsonText
from service.routes.documented import READ, answers
from service.routes.strict import router as new_router
from service.scoring.rules import SCORE_MAX, SCORE_MIN, BucketOrNone

MAX_PAGE = 10**9
MAX_VALUES = 50
MAX_DAYS = 3650

Values = Query(max_length=MAX_VALUES, description="Repeatable: any of them.")
Text = Annotated[str, StringConstraints(min_length=1, max_length=bounds.NAME_LENGTH, pattern=bounds.PRINTABLE)]
ScoreLimit = Annotated[float | None, Query(ge=SCORE_MIN, le=SCORE_MAX, allow_inf_nan=False)]

router = new_router()


async def account_filter(
    segment: Annotated[list[Segment], Values] = [],  # noqa: B006 - a default that nobody changes
    bucket: Annotated[list[BucketOrNone], Values] = [],  # noqa: B006
    region: Annotated[list[Text], Values] = [],  # noqa: B006
    owner: Annotated[list[Text], Values] = [],  # noqa: B006
    industry: Annotated[list[Text], Values] = [],  # noqa: B006
    q: Annotated[Text | None, Query(description="The name contains this, in any case.")] = None,
    renewal_within_days: Annotated[int | None, Query(ge=0, le=MAX_DAYS)] = None,
    min_score: ScoreLimit = None,
    max_score: ScoreLimit = None,
) -> Filter:
    """All conditions hold at once; of several values of one, any."""
    return Filter(
        today=today(),
        segments=segment,
        buckets=bucket,
        regions=region,
        owners=owner,
        industries=industry,
        name_contains=q,
        renewal_within_days=renewal_within_days,
        min_score=min_score,
        max_score=max_score,
    )


@router.get("/accounts", responses=answers("AccountPage", "A page of accounts, with five factors each.", *READ), response_model=None)
async def list_accounts(
    request: Request,
    wanted: Annotated[Filter, Depends(account_filter)],
    page: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 1,
    page_size: Annotated[int, Query(ge=1, le=100)] = 50,
    sort: Annotated[Sort, Query(description="`-` in front: descending. Unknown values come last both ways.")] = DEFAULT_SORT,
) -> JsonText:
    """The accounts that a filter lets through, and how many there are. A page beyond the end is an empty one."""
    found = accounts.page(request.app.state.database, wanted, sort=sort, number=page, size=page_size)
    return JsonText(f'{{"total":{found.total},"page":{page},"page_size":{page_size},"accounts":{found.accounts}}}')


@router.get("/accounts/{account_id}", responses=answers("Account", "The account.", *READ, NotFoundError), response_model=None)
async def get_account(request: Request, account_id: Annotated[int, Path(ge=bounds.INT8_MIN, le=bounds.INT8_MAX)]) -> JsonText:
    """One account with all of its factors."""
    account = accounts.find(request.app.state.database, account_id)
    if account is None:
        raise NotFoundError(f"There is no account {account_id}.")
    return JsonText(account)
