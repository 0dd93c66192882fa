"""Routes that add data: CSV files and sample accounts."""

import secrets
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import Path, Query, Request
from starlette.responses import Response

from service.errors import InvalidRequestError, InvalidRowsError, NotFoundError
from service.http.multipart import REQUEST_BODY, fingerprint, uploaded_file
from service.http.openapi_responses import IMPORT, WRITE, json_responses
from service.http.state import today
from service.http.strict_query import new_router
from service.routes.idempotent_write import IdempotencyKey, write
from service.schema.limits import INT8_MAX, Segment

if TYPE_CHECKING:
    from service.importing import InvalidFileError

MAX_COUNT = 1000
MAX_MAPPINGS = 200
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
        request,
        key,
        partial(samples.add, count=count, seed=chosen, replace=replace, today=today(request)),
    )


@router.post(
    "/ingest/csv",
    responses=json_responses("ImportedFile", "What was written, or would be.", *IMPORT),
    openapi_extra={"requestBody": REQUEST_BODY},
    summary="Import a CSV file",
)
async def import_csv(
    request: Request,
    dry_run: Annotated[
        bool, Query(description="Check the file and count what it would change, but write nothing.")
    ] = False,
    number_format: Annotated[
        Literal["1,234.5", "1.234,5"] | None,
        Query(description="The format of numbers in the file. Default: detected from all numbers."),
    ] = None,
    date_order: Annotated[
        Literal["ymd", "mdy", "dmy"] | None,
        Query(
            description="The order of numeric dates in the file. Default: detected from all dates."
        ),
    ] = None,
    mapping: Annotated[
        list[str],
        Query(
            max_length=MAX_MAPPINGS,
            description="Repeatable, `HEADER=COLUMN`: the column that a header means. "
            "`HEADER=` ignores it.",
        ),
    ] = [],  # noqa: B006 - a default that is never modified
    segment: Annotated[
        Segment | None, Query(description="The segment of new accounts without one in the file.")
    ] = None,
    key: IdempotencyKey = None,
) -> Response:
    """Adds or updates the accounts of a CSV file and their days: all of them, or none.

    The header names the columns in any case and order: `name`, `arr`, `segment`, and any others of
    an account; unknown ones are ignored and listed. A row with a `date` is a day of its account as
    well: `logins`, `events`, `feature_x_events`, `errors`, `ticket_backlog`, `avg_session_min`.
    Rows of one `external_id`, or of one name where there is none, are one account. A blank cell
    means that a value is unknown; a column that is missing leaves the values of existing accounts
    as they are. The same file again changes nothing.
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
            partial(load, file=file, today=today(request), dry_run=dry_run, segment=segment),
            content=digest,
        )
    except InvalidFileError as error:
        raise _invalid_rows(error) from None


@router.post(
    "/ingest/{import_id}/undo",
    responses=json_responses("Undone", "What was undone.", *WRITE, NotFoundError),
)
async def undo_import(
    request: Request,
    import_id: Annotated[int, Path(ge=1, le=INT8_MAX)],
    key: IdempotencyKey = None,
) -> Response:
    """Undoes an import of the last 24 hours: deletes what it created and restores what it changed.

    When a row has been written to since, nothing is undone; the error is a conflict and lists the
    accounts.
    """
    from service.queries.undo import undo

    return write(request, key, partial(undo, import_id=import_id, today=today(request)))


def _mapping(pairs: list[str]) -> dict[str, str]:
    if any("=" not in pair for pair in pairs):
        message = "Must be HEADER=COLUMN"
        raise InvalidRequestError(
            f"The request is invalid at query.mapping: {message}.",
            errors=[{"loc": ["query", "mapping"], "code": "mapping_invalid", "message": message}],
        )
    return {header: column.strip() for header, _, column in (p.rpartition("=") for p in pairs)}


def _invalid_rows(error: "InvalidFileError") -> InvalidRowsError:
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
