"""Reads a CSV file of accounts and their days: all that it says, or all that is wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, Any, Final, NamedTuple

from service import deadline
from service.importing.copy_buffer import CopyBuffer
from service.importing.formats import DateOrder, Formats, NumberFormat
from service.importing.header import Header, IgnoredColumn, read_header
from service.importing.problems import Problem, Problems
from service.importing.records import Records
from service.importing.rows import IgnoredRow, Rows

MAX_ACCOUNTS: Final = 50_000
"""Accounts of one import: what one call of the function can write and score within its deadline."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the caller says of a file.

    number_format, date_order: None to guess them from the file.
    mapping: header names to column names, "" to ignore one.
    segment: of rows that have none.
    """

    number_format: NumberFormat | None = None
    date_order: DateOrder | None = None
    mapping: Mapping[str, str] = field(default_factory=dict[str, str])
    segment: str | None = None


class Understanding(NamedTuple):
    """How a file was read. `preview` has its first accounts, by column."""

    number_format: NumberFormat | None
    date_order: DateOrder | None
    columns: list[tuple[str, str]]
    ignored_columns: list[IgnoredColumn]
    ignored_rows: list[IgnoredRow]
    preview: list[dict[str, Any]]


class File(NamedTuple):
    """Accounts by key, and their days by key and date (none without that column).

    A column that a table lacks is left as it is where there is a row already, and has its default
    in a new one. A blank cell says that the value is unknown.
    """

    accounts: CopyBuffer
    days: CopyBuffer
    understanding: Understanding


def read_file(content: IO[bytes], options: Options | None = None) -> File:
    """Read all of a seekable file, a chunk at a time.

    It is read twice where numbers or dates do not show their format at once. Rows whose cells are
    all blank are skipped, but counted. Raises `InvalidFileError`, whatever the bytes are, and
    `UnavailableError` when the request's time is over.
    """
    options = options or Options()
    problems = Problems()
    records = Records(content, problems)
    names = records.header()
    problems.check()
    header = read_header(names, mapping=options.mapping, segment=options.segment)
    formats = _formats(content, header, options)
    records.detach()
    records = Records(content, problems)
    records.header()
    rows = Rows(header.columns, problems, formats=formats, segment=options.segment)
    for first, chunk in records.chunks():
        deadline.check()
        rows.take(first, chunk)
    records.detach()
    rows.finish()
    if not rows.accounts and not problems.total:
        message = "The file has a header and no rows: each row below it has to be an account."
        problems.add(Problem(2, None, "no_rows", message))
    if len(rows.accounts) > MAX_ACCOUNTS:
        message = (
            f"The file has {len(rows.accounts)} accounts; one import takes at most {MAX_ACCOUNTS}. "
            "Split it, with the header in each part."
        )
        problems.add(Problem(2, None, "too_many_accounts", message))
    problems.check()
    return File(rows.accounts, rows.days, _understanding(header, formats, rows))


def _formats(content: IO[bytes], header: Header, options: Options) -> Formats:
    """Return the formats that were given, or that the file proves. Raises `InvalidFileError`."""
    formats = Formats(number=options.number_format, date=options.date_order)
    ignored = Problems()
    records = Records(content, ignored)
    records.header()
    for first, chunk in records.chunks():
        deadline.check()
        width = len(header.columns)
        full = [(row, record) for row, record in enumerate(chunk, first) if len(record) == width]
        numbers = [row for row, _ in full]
        cells = zip(*(record for _, record in full), strict=True)
        for column, some in zip(header.columns, cells, strict=False):
            if column is not None:
                formats.look(column, numbers, some)
        if formats.complete:
            break
    records.detach()
    problems = Problems()
    if formats.number is None and formats.ambiguous_number is not None:
        row, column = formats.ambiguous_number
        message = (
            "A number with one separator and three digits behind it can be read in two ways, and "
            "no other number of the file decides it. Say number_format=1,234.5 or "
            "number_format=1.234,5."
        )
        problems.add(Problem(row, column.name, "ambiguous_number", message))
    if formats.date is None and formats.ambiguous_date is not None:
        row, column = formats.ambiguous_date
        message = (
            "The day and the month of this date can be read in two ways, and no other date of the "
            "file decides it. Say date_order=mdy or date_order=dmy."
        )
        problems.add(Problem(row, column.name, "ambiguous_date", message))
    problems.check()
    return formats


def _understanding(header: Header, formats: Formats, rows: Rows) -> Understanding:
    imported = [
        (name, column.name)
        for name, column in zip(header.names, header.columns, strict=True)
        if column is not None
    ]
    return Understanding(
        number_format=formats.number,
        date_order=formats.date,
        columns=imported,
        ignored_columns=header.ignored,
        ignored_rows=rows.ignored,
        preview=rows.preview,
    )
