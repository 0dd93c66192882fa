"""Data into the service."""

import secrets
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import Query, Request
from starlette.responses import Response

from service.clock import today
from service.errors import InvalidRequestError, InvalidRowsError
from service.http.multipart import REQUEST_BODY, fingerprint, uploaded_file
from service.http.openapi_responses import IMPORT, WRITE, json_responses
from service.http.strict_query import router as new_router
from service.routes.idempotent_write import IdempotencyKey, write

if TYPE_CHECKING:
    from service.importing import InvalidFileError

MAX_COUNT = 1000
MAX_SEED = 2**53 - 1
"""The largest integer that every JSON reader keeps."""

router = new_router()


@router.post(
    "/ingest/generate-mock",
    responses=json_responses("Generated", "What was added.", *WRITE),
    response_model=None,
)
async def generate_mock(
    request: Request,
    count: Annotated[int, Query(ge=1, le=MAX_COUNT)] = 20,
    seed: Annotated[
        int | None,
        Query(
            ge=0,
            le=MAX_SEED,
            description="The same seed makes the same accounts. Default: a random one.",
        ),
    ] = None,
    replace: Annotated[
        bool, Query(description="Remove every account first; needs `confirm=replace-all`.")
    ] = False,
    confirm: Annotated[Literal["replace-all"] | None, Query()] = None,
    key: IdempotencyKey = None,
) -> Response:
    """Adds sample accounts with 180 days of history. One whose name is there already is left as it is."""
    from service.queries import (
        samples,
    )  # only here: reads need neither it nor the random numbers that it draws

    if replace and confirm is None:
        raise InvalidRequestError(
            "replace=true removes every account: say confirm=replace-all as well.",
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
    response_model=None,
    openapi_extra={"requestBody": REQUEST_BODY},
)
async def ingest_csv(
    request: Request,
    dry_run: Annotated[
        bool, Query(description="Check the file and count what it would change, but write nothing.")
    ] = False,
    key: IdempotencyKey = None,
) -> Response:
    """Adds the accounts of a CSV file and their days, or updates those that are there: all of them, or none when a row is wrong.

    The header names the columns in any case and order: `name`, `arr`, `segment`, and of an account's others those that you have. A row
    with a `date` is a day of its account as well: `logins`, `events`, `feature_x_events`, `errors`, `ticket_backlog`, `avg_session_min`.
    Rows of one name are one account. A blank cell says that a value is unknown; where a whole column is missing, accounts that are there
    keep their values. The same file again changes nothing.
    """
    from service.importing import (
        InvalidFileError,
        read_file,
    )  # only here: reads need neither it nor its queries
    from service.queries.imports import load

    async with uploaded_file(request) as content:
        digest = fingerprint(content)
        try:
            file = read_file(content)
        except InvalidFileError as error:
            raise _refused(error) from None
    return write(
        request,
        None if dry_run else key,
        partial(load, file=file, today=today(), dry_run=dry_run),
        content=digest,
    )


def _refused(error: "InvalidFileError") -> InvalidRowsError:
    first = error.problems[0]
    where = (
        f"row {first.row}" if first.column is None else f"row {first.row}, column {first.column}"
    )
    errors = [problem._asdict() for problem in error.problems]
    return InvalidRowsError(
        f"Nothing was written. Correct {where}: {first.message}", errors=errors, total=error.total
    )
