"""Routes that add data: CSV files and sample accounts."""

import secrets
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import Query, Request
from starlette.responses import Response

from service.clock import today
from service.errors import InvalidRequestError, InvalidRowsError
from service.http.multipart import REQUEST_BODY, fingerprint, uploaded_file
from service.http.openapi_responses import IMPORT, WRITE, json_responses
from service.http.strict_query import new_router
from service.routes.idempotent_write import IdempotencyKey, write

if TYPE_CHECKING:
    from service.importing import InvalidFileError

MAX_COUNT = 1000
MAX_SEED = 2**53 - 1
"""The largest integer that every JSON parser represents exactly."""

router = new_router("data")


@router.post(
    "/ingest/generate-mock",
    responses=json_responses("Generated", "What was added.", *WRITE),
)
async def generate_sample_accounts(
    request: Request,
    count: Annotated[int, Query(ge=1, le=MAX_COUNT)] = 20,
    seed: Annotated[
        int | None,
        Query(
            ge=0,
            le=MAX_SEED,
            description="The same seed gives the same accounts. Default: random.",
        ),
    ] = None,
    replace: Annotated[
        bool, Query(description="Remove every account first; needs `confirm=replace-all`.")
    ] = False,
    confirm: Annotated[Literal["replace-all"] | None, Query()] = None,
    key: IdempotencyKey = None,
) -> Response:
    """Adds sample accounts with 180 days of history.

    An account whose name exists already is not changed.
    """
    # Imported here, because reads need neither this nor `random`.
    from service.queries import samples

    if replace and confirm is None:
        raise InvalidRequestError(
            "replace=true removes every account: add confirm=replace-all.",
            errors=[
                {
                    "loc": ["query", "confirm"],
                    "code": "confirmation_missing",
                    "message": "Must be replace-all when replace is true",
                }
            ],
        )
    chosen = secrets.randbelow(2**32) if seed is None else seed
    return write(
        request, key, partial(samples.add, count=count, seed=chosen, replace=replace, today=today())
    )


@router.post(
    "/ingest/csv",
    responses=json_responses("Imported", "What was written, or would be.", *IMPORT),
    openapi_extra={"requestBody": REQUEST_BODY},
    summary="Import a CSV file",
)
async def import_csv(
    request: Request,
    dry_run: Annotated[
        bool, Query(description="Check the file and count what it would change, but write nothing.")
    ] = False,
    key: IdempotencyKey = None,
) -> Response:
    """Adds or updates the accounts of a CSV file and their days: all of them, or none.

    The header names the columns in any case and order: `name`, `arr`, `segment`, and any others of
    an account. A row with a `date` is a day of its account as well: `logins`, `events`,
    `feature_x_events`, `errors`, `ticket_backlog`, `avg_session_min`. Rows of one name are one
    account. A blank cell means that a value is unknown; a column that is missing leaves the values
    of existing accounts as they are. The same file again changes nothing.
    """
    # Imported here, because reads need neither.
    from service.importing import InvalidFileError, read_file
    from service.queries.imports import load

    async with uploaded_file(request) as content:
        digest = fingerprint(content)
        try:
            file = read_file(content)
        except InvalidFileError as error:
            raise _invalid_rows(error) from None
    return write(
        request,
        None if dry_run else key,
        partial(load, file=file, today=today(), dry_run=dry_run),
        content=digest,
    )


def _invalid_rows(error: "InvalidFileError") -> InvalidRowsError:
    first = error.problems[0]
    where = (
        f"row {first.row}" if first.column is None else f"row {first.row}, column {first.column}"
    )
    errors = [problem._asdict() for problem in error.problems]
    return InvalidRowsError(
        f"Nothing was written. Correct {where}: {first.message}", errors=errors, total=error.total
    )
