"""Routes for accounts: list, export, read and update them, and read their history."""

import codecs
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from pydantic import StringConstraints
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.responses import Response

from service.database.connection import Statements
from service.errors import InvalidRequestError, NotFoundError, PreconditionFailedError
from service.http import json_body
from service.http.account_path import AccountId, no_account
from service.http.conditional import (
    IfMatch,
    IfNoneMatch,
    require_match,
    strong_etag,
    strong_json_response,
)
from service.http.openapi_responses import READ, WRITE, csv_responses, json_responses
from service.http.responses import JsonText
from service.http.state import database, scored_database, today
from service.http.strict_query import new_router
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

CSV_EXAMPLE = "name,arr,segment\nAlder Ridge Logistics,120000,Mid-Market\n"


class _AccountConvertor(StringConvertor):
    """Matches a path segment, except the exported file's name, which allows other methods."""

    regex = r"(?!export\.csv$)[^/]+"


register_url_convertor("account", _AccountConvertor())
ACCOUNT = "/accounts/{account_id:account}"
Values = Query(max_length=MAX_VALUES, description="Repeatable: matches any of the values.")
Text = Annotated[
    str, StringConstraints(min_length=1, max_length=limits.NAME_LENGTH, pattern=limits.PRINTABLE)
]
ScoreLimit = Annotated[float | None, Query(ge=SCORE_MIN, le=SCORE_MAX, allow_inf_nan=False)]

router = new_router("accounts")


async def account_filter(
    request: Request,
    segment: Annotated[list[Segment], Values] = [],  # noqa: B006 - a default that is never modified
    bucket: Annotated[list[BucketOrNone], Values] = [],  # noqa: B006
    region: Annotated[list[Text], Values] = [],  # noqa: B006
    owner: Annotated[list[Text], Values] = [],  # noqa: B006
    industry: Annotated[list[Text], Values] = [],  # noqa: B006
    q: Annotated[
        Text | None, Query(description="The name contains this text, in any case.")
    ] = None,
    renewal_within_days: Annotated[int | None, Query(ge=0, le=MAX_DAYS)] = None,
    min_score: ScoreLimit = None,
    max_score: ScoreLimit = None,
) -> Filter:
    """Return the filter of the query: all parameters have to match, of repeated ones any value."""
    if min_score is not None and max_score is not None and min_score > max_score:
        message = "Must not be greater than max_score"
        raise InvalidRequestError(
            f"The request is invalid at query.min_score: {message}.",
            errors=[{"loc": ["query", "min_score"], "code": "empty_range", "message": message}],
        )
    return Filter(
        today=today(request),
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
)
async def list_accounts(
    request: Request,
    wanted: Annotated[Filter, Depends(account_filter)],
    page: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 1,
    page_size: Annotated[int, Query(ge=1, le=100)] = 50,
    sort: Annotated[
        Sort,
        Query(description="`-` in front: descending. Unknown values are last in both directions."),
    ] = DEFAULT_SORT,
) -> JsonText:
    """Lists the accounts that match a filter, and their total. A page beyond the last is empty."""
    found = accounts.page(scored_database(request), wanted, sort=sort, number=page, size=page_size)
    return JsonText(
        f'{{"total":{found.total},"page":{page},"page_size":{page_size},'
        f'"accounts":{found.accounts},"scores_as_of":"{found.scores_as_of}"}}'
    )


@router.get(
    "/accounts/export.csv",
    responses=csv_responses("The accounts, by name.", CSV_EXAMPLE, *READ),
    response_class=Response,
    summary="Export accounts as CSV",
)
async def export_accounts(
    request: Request,
    wanted: Annotated[Filter, Depends(account_filter)],
    bom: Annotated[
        bool,
        Query(description="Begin the file with a byte order mark, which Excel needs for UTF-8."),
    ] = True,
) -> Response:
    """Returns the accounts that match a filter as a CSV file that can be imported again unchanged.

    A text that a spreadsheet would take for a formula has an apostrophe in front, which the import
    removes.
    """
    from service.http.downloads import MAX_BYTES, csv_file
    from service.queries.export import export

    content = export(scored_database(request), wanted, limit=MAX_BYTES)
    if content is not None and bom:
        content = codecs.BOM_UTF8 + content
    return csv_file(request, content, "accounts.csv")


@router.get(
    ACCOUNT,
    responses=json_responses("AccountDetail", "The account.", *READ, NotFoundError, etag=True),
)
async def get_account(
    request: Request, account_id: AccountId, if_none_match: IfNoneMatch = None
) -> Response:
    """Returns one account with all of its factors."""
    account = accounts.find(scored_database(request), account_id)
    if account is None:
        raise no_account(account_id)
    return strong_json_response(account, if_none_match)


@router.patch(
    ACCOUNT,
    responses=json_responses(
        "AccountDetail", "The updated account.", *WRITE, NotFoundError, PreconditionFailedError
    ),
    openapi_extra=json_body.request_body("AccountChange", required=True),
)
async def update_account(
    request: Request, account_id: AccountId, if_match: IfMatch = None, key: IdempotencyKey = None
) -> Response:
    """Updates any of an account's columns except its id, and scores it again.

    A column that is left out is not changed; null makes its value unknown. A name or external id
    that another account has is a conflict.
    """
    from service.queries.changes import change
    from service.schema.requests import AccountChange

    columns = (await json_body.read(request, AccountChange)).model_dump(exclude_unset=True)

    def work(statements: Statements) -> WriteResult:
        changed = change(
            statements,
            account_id,
            columns,
            today(request),
            allowed=lambda current: require_match(current, if_match),
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
)
async def delete_account(
    request: Request, account_id: AccountId, if_match: IfMatch = None, key: IdempotencyKey = None
) -> Response:
    """Deletes an account with its daily rows, its score history and its insight."""
    from service.queries.changes import delete

    def work(statements: Statements) -> dict[str, Any]:
        if not delete(
            statements, account_id, allowed=lambda current: require_match(current, if_match)
        ):
            raise no_account(account_id)
        return {"id": account_id, "message": "The account and its history were deleted."}

    return write(request, key, work)


@router.get(
    f"{ACCOUNT}/health-history",
    responses=json_responses("HealthHistory", "The snapshots.", *READ, NotFoundError),
)
async def get_health_history(
    request: Request, account_id: AccountId, limit: Annotated[int, Query(ge=1, le=365)] = 30
) -> JsonText:
    """Returns the newest snapshots of the account's score, newest first.

    There is one for each time that the score or a factor changed; of older days the last one, and
    after 400 days the last of each week. Of changes by time alone only larger ones are stored.
    """
    found = histories.health(scored_database(request), account_id, limit=limit)
    if found is None:
        raise no_account(account_id)
    return JsonText(found)


@router.get(
    f"{ACCOUNT}/metrics-history",
    responses=json_responses("MetricsHistory", "The days.", *READ, NotFoundError),
)
async def get_metrics_history(
    request: Request, account_id: AccountId, days: Annotated[int, Query(ge=1, le=365)] = 90
) -> JsonText:
    """Returns the account's daily metrics, newest first.

    They are those of the last `days` calendar days up to its newest day.
    """
    found = histories.metrics(database(request), account_id, days=days)
    if found is None:
        raise no_account(account_id)
    return JsonText(found)
