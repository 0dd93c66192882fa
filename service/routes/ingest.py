"""Data into the service."""

import secrets
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import Path, Query, Request
from starlette.responses import Response

from service.clock import today
from service.errors import InvalidRequestError, InvalidRowsError, NotFoundError
from service.http.multipart import REQUEST_BODY, fingerprint, uploaded_file
from service.http.openapi_responses import IMPORT, WRITE, json_responses
from service.http.strict_query import router as new_router
from service.routes.idempotent_write import IdempotencyKey, write
from service.schema.limits import INT8_MAX, Segment

if TYPE_CHECKING:
    from service.importing import InvalidFileError

MAX_COUNT = 1000
MAX_MAPPINGS = 200
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
    responses=json_responses("ImportedFile", "What was written, or would be.", *IMPORT),
    response_model=None,
    openapi_extra={"requestBody": REQUEST_BODY},
)
async def ingest_csv(
    request: Request,
    dry_run: Annotated[
        bool, Query(description="Check the file and count what it would change, but write nothing.")
    ] = False,
    number_format: Annotated[
        Literal["1,234.5", "1.234,5"] | None,
        Query(description="How the file writes numbers. Default: guessed from all of them."),
    ] = None,
    date_order: Annotated[
        Literal["ymd", "mdy", "dmy"] | None,
        Query(description="How the file writes dates in numbers. Default: guessed from all."),
    ] = None,
    mapping: Annotated[
        list[str],
        Query(
            max_length=MAX_MAPPINGS,
            description="Repeatable, `HEADER=COLUMN`: what a column of the file means. "
            "`HEADER=` ignores it.",
        ),
    ] = [],  # noqa: B006 - a default that nobody changes
    segment: Annotated[
        Segment | None, Query(description="The segment of new accounts that have none.")
    ] = None,
    key: IdempotencyKey = None,
) -> Response:
    """Adds or updates the accounts of a CSV file and their days: all of them, or none.

    The header names the columns in any case and order: `name`, `arr`, `segment`, and any others of
    an account; unknown ones are ignored and listed. A row with a `date` is a day of its account as
    well: `logins`, `events`, `feature_x_events`, `errors`, `ticket_backlog`, `avg_session_min`.
    Rows of one `external_id`, or of one name where there is none, are one account. A blank cell says
    that a value is unknown; a column that is missing leaves the values as they are. The same file
    again changes nothing.
    """
    # Imported here, because reads need neither.
    from service.importing import InvalidFileError, Options, read_file
    from service.queries.imports import load

    options = Options(
        number_format=number_format,
        date_order=date_order,
        mapping=_mapping(mapping),
        segment=segment,
    )
    try:
        async with uploaded_file(request) as content:
            digest = fingerprint(content)
            file = read_file(content, options)
        return write(
            request,
            None if dry_run else key,
            partial(load, file=file, today=today(), dry_run=dry_run, segment=segment),
            content=digest,
        )
    except InvalidFileError as error:
        raise _refused(error) from None


@router.post(
    "/ingest/{import_id}/undo",
    responses=json_responses("Undone", "What was taken back.", *WRITE, NotFoundError),
    response_model=None,
)
async def undo_import(
    request: Request,
    import_id: Annotated[int, Path(ge=1, le=INT8_MAX)],
    key: IdempotencyKey = None,
) -> Response:
    """Takes an import of the last 24 hours back: what it created is deleted, what it changed restored.

    Refused as a conflict, with the accounts, when one of its rows was written to since.
    """
    from service.queries.undo import undo

    return write(request, key, partial(undo, import_id=import_id, today=today()))


def _mapping(pairs: list[str]) -> dict[str, str]:
    if any("=" not in pair for pair in pairs):
        message = "Must be HEADER=COLUMN"
        raise InvalidRequestError(
            f"The request is invalid at query.mapping: {message}.",
            errors=[{"loc": ["query", "mapping"], "code": "mapping_invalid", "message": message}],
        )
    return {header: column.strip() for header, _, column in (p.rpartition("=") for p in pairs)}


def _refused(error: "InvalidFileError") -> InvalidRowsError:
    first = error.problems[0]
    where = (
        f"row {first.row}" if first.column is None else f"row {first.row}, column {first.column}"
    )
    errors = [problem._asdict() for problem in error.problems]
    more = error.total - 1
    others = f" There are {more} more problems." if more > 1 else ""
    others = " There is one more problem." if more == 1 else others
    return InvalidRowsError(
        f"Nothing was written. Correct {where}: {first.message}{others}",
        errors=errors,
        total=error.total,
    )
