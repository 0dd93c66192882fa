"""Accounts: one, a page of them, a file of them; how one was, and what is changed of it."""

import codecs
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from pydantic import StringConstraints
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.responses import Response

from service.clock import today
from service.database.connection import Statements
from service.errors import InvalidRequestError, NotFoundError, PreconditionFailedError
from service.http import json_body
from service.http.account_path import AccountId, no_account
from service.http.conditional import IfMatch, IfNoneMatch, json_response, require_match, strong_etag
from service.http.openapi_responses import READ, WRITE, csv_responses, json_responses
from service.http.responses import JsonText
from service.http.strict_query import router as new_router
from service.queries import accounts, histories
from service.queries.filters import Filter
from service.queries.idempotency import WriteResult
from service.queries.pagination import DEFAULT_SORT, Sort
from service.routes.idempotent_write import IdempotencyKey, write
from service.schema import limits
from service.schema.limits import Segment
from service.scoring.rules import SCORE_MAX, SCORE_MIN, BucketOrNone

MAX_PAGE = 10**9
MAX_VALUES = 50
MAX_DAYS = 3650

EXPORTED = "name,arr,segment\nAlder Ridge Logistics,120000,Mid-Market\n"


class _Id(StringConvertor):
    """A segment of a path, but for the name of the exported file, which takes methods of its own."""

    regex = r"(?!export\.csv$)[^/]+"


register_url_convertor("account", _Id())
ACCOUNT = "/accounts/{account_id:account}"
Values = Query(max_length=MAX_VALUES, description="Repeatable: any of them.")
Text = Annotated[
    str, StringConstraints(min_length=1, max_length=limits.NAME_LENGTH, pattern=limits.PRINTABLE)
]
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
    if min_score is not None and max_score is not None and min_score > max_score:
        message = "Must not be greater than max_score"
        raise InvalidRequestError(
            f"The request is invalid at query.min_score: {message}.",
            errors=[{"loc": ["query", "min_score"], "code": "empty_range", "message": message}],
        )
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


@router.get(
    "/accounts",
    responses=json_responses("AccountPage", "A page of accounts, with five factors each.", *READ),
    response_model=None,
)
async def list_accounts(
    request: Request,
    wanted: Annotated[Filter, Depends(account_filter)],
    page: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 1,
    page_size: Annotated[int, Query(ge=1, le=100)] = 50,
    sort: Annotated[
        Sort, Query(description="`-` in front: descending. Unknown values come last both ways.")
    ] = DEFAULT_SORT,
) -> JsonText:
    """The accounts that a filter lets through, and how many there are. A page beyond the end is an empty one."""
    found = accounts.page(
        request.app.state.database, wanted, sort=sort, number=page, size=page_size
    )
    return JsonText(
        f'{{"total":{found.total},"page":{page},"page_size":{page_size},"accounts":{found.accounts}}}'
    )


@router.get(
    "/accounts/export.csv",
    responses=csv_responses("The accounts, by name.", EXPORTED, *READ),
    response_class=Response,
)
async def export_accounts(
    request: Request,
    wanted: Annotated[Filter, Depends(account_filter)],
    bom: Annotated[
        bool,
        Query(description="Begin the file with a byte order mark, which Excel needs for UTF-8."),
    ] = True,
) -> Response:
    """The accounts that a filter lets through, as a CSV file that can be imported again unchanged.

    A text that a spreadsheet would take for a formula has an apostrophe in front, which the import
    removes.
    """
    from service.http.downloads import MAX_BYTES, csv_file
    from service.queries.export import export

    content = export(request.app.state.database, wanted, limit=MAX_BYTES)
    if content is not None and bom:
        content = codecs.BOM_UTF8 + content
    return csv_file(request, content, "accounts.csv")


@router.get(
    ACCOUNT,
    responses=json_responses("Account", "The account.", *READ, NotFoundError, etag=True),
    response_model=None,
)
async def get_account(
    request: Request, account_id: AccountId, if_none_match: IfNoneMatch = None
) -> Response:
    """One account with all of its factors."""
    account = accounts.find(request.app.state.database, account_id)
    if account is None:
        raise no_account(account_id)
    return json_response(account, if_none_match)


@router.patch(
    ACCOUNT,
    responses=json_responses(
        "Account", "The account as it is now.", *WRITE, NotFoundError, PreconditionFailedError
    ),
    response_model=None,
    openapi_extra=json_body.request_body("AccountChange", required=True),
)
async def change_account(
    request: Request, account_id: AccountId, if_match: IfMatch = None, key: IdempotencyKey = None
) -> Response:
    """Changes any of an account's columns but its id, and scores it again.

    What is not given stays; null makes a value unknown. A name or external id that another account
    has is a conflict.
    """
    from service.queries.changes import change
    from service.schema.requests import AccountChange

    columns = (await json_body.read(request, AccountChange)).model_dump(exclude_unset=True)

    def work(statements: Statements) -> WriteResult:
        changed = change(
            statements,
            account_id,
            columns,
            today(),
            allowed=lambda present: require_match(present, if_match),
        )
        if changed is None:
            raise no_account(account_id)
        return WriteResult(changed, {"ETag": strong_etag(changed)})

    return write(request, key, work, content=await request.body())


@router.delete(
    ACCOUNT,
    responses=json_responses(
        "Deleted", "The account was deleted.", *WRITE, NotFoundError, PreconditionFailedError
    ),
    response_model=None,
)
async def delete_account(
    request: Request, account_id: AccountId, if_match: IfMatch = None, key: IdempotencyKey = None
) -> Response:
    """Deletes an account with its daily rows, its score history and its insight."""
    from service.queries.changes import delete

    def work(statements: Statements) -> dict[str, Any]:
        if not delete(
            statements, account_id, allowed=lambda present: require_match(present, if_match)
        ):
            raise no_account(account_id)
        return {"id": account_id, "message": "The account and its history were deleted."}

    return write(request, key, work)


@router.get(
    f"{ACCOUNT}/health-history",
    responses=json_responses("HealthHistory", "The snapshots.", *READ, NotFoundError),
    response_model=None,
)
async def health_history(
    request: Request, account_id: AccountId, limit: Annotated[int, Query(ge=1, le=365)] = 30
) -> JsonText:
    """The newest snapshots of the account's score, newest first: one for each time that the score or a factor changed."""
    found = histories.health(request.app.state.database, account_id, limit=limit)
    if found is None:
        raise no_account(account_id)
    return JsonText(found)


@router.get(
    f"{ACCOUNT}/metrics-history",
    responses=json_responses("MetricsHistory", "The days.", *READ, NotFoundError),
    response_model=None,
)
async def metrics_history(
    request: Request, account_id: AccountId, days: Annotated[int, Query(ge=1, le=365)] = 90
) -> JsonText:
    """What the account did on the last `days` calendar days up to its newest daily row, newest first."""
    found = histories.metrics(request.app.state.database, account_id, days=days)
    if found is None:
        raise no_account(account_id)
    return JsonText(found)
