"""Checks the rows of a file, cell by cell and against each other."""

from collections.abc import Iterable, Sequence
from itertools import compress, repeat
from typing import Any, Final, NamedTuple

from service.importing.cells import UNKNOWN, CellError, Reader, expected
from service.importing.copy_buffer import SEPARATOR, CopyBuffer, DuplicateRow
from service.importing.formats import Formats
from service.importing.problems import Problem, Problems
from service.schema.columns import ACCOUNT_COLUMNS, DAY_COLUMNS, Column

NAME: Final = next(column for column in ACCOUNT_COLUMNS if column.name == "name")
EXTERNAL_ID: Final = next(column for column in ACCOUNT_COLUMNS if column.name == "external_id")
SEGMENT: Final = next(column for column in ACCOUNT_COLUMNS if column.name == "segment")
DATE, *_METRICS = DAY_COLUMNS

KEY: Final = "key"
"""Name of the first column of both tables, which identifies an account within the file."""
EXTERNAL_KEY: Final = "\x01"
"""Prefix of an external id that is a key. No name starts with it: it is a control character."""

PREVIEW_ROWS: Final = 5
MAX_IGNORED_LISTED: Final = 20
TOTALS: Final = frozenset(
    ("total", "totals", "grand total", "subtotal", "sum", "gesamt", "gesamtsumme", "summe")
)

Values = dict[str, list[str]]
"""By column, one for each row."""


class IgnoredRow(NamedTuple):
    """A row that is not imported: a `total`, or part of a `footer`."""

    row: int
    reason: str


class Rows:
    """Collects the valid records below a header in `accounts` and `days`.

    Rows of one key (external id, else name) are one account and have to agree on its columns, in
    any order. A blank cell agrees with any value; two different values are a problem of the later
    row. A row with a date is a day of the account as well; two rows of one
    account and date are a problem, also when they are equal.

    Total rows are ignored, and so is a footer: rows of a single cell that come after a blank row
    and go on to the end of the file, as reports of CRMs have them.
    """

    # A file may have hundreds of thousands of rows, so the usual case has no loop over cells in
    # Python. A chunk of records is transposed to columns; each column is mapped to its values by a
    # dict (`Reader`) in C; and CopyBuffer finds rows with a known key. Only a column with a bad
    # cell is read again one by one, and only rows with a known key are compared.

    def __init__(
        self,
        columns: Sequence[Column | None],
        problems: Problems,
        *,
        formats: Formats | None = None,
        segment: str | None = None,
    ) -> None:
        formats = formats or Formats()
        self._problems = problems
        self._readers = [
            None if column is None else Reader(column, formats.number, formats.date)
            for column in columns
        ]
        self._keyed = EXTERNAL_ID in columns
        self._segment = segment
        self._columns = [column for column in ACCOUNT_COLUMNS if column in columns]
        self._metrics = [column.name for column in _METRICS if column in columns]
        self._dated = DATE in columns
        self.accounts = CopyBuffer([KEY, *(column.name for column in self._columns)])
        self.days = CopyBuffer([KEY, DATE.name, *self._metrics])
        self.ignored: list[IgnoredRow] = []
        self.preview: list[dict[str, Any]] = []
        # the row that gave an account's column its value, where that was not the first row
        self._filled: dict[tuple[str, str], int] = {}
        # the first row with a blank cell, by key and index of a required column
        self._blank: dict[tuple[str, int], int] = {}
        self._after_blank_row = False
        self._footer: list[int] = []

    def take(self, first: int, records: Sequence[Sequence[str]]) -> None:
        """Take records that follow each other in the file, the first of them in row `first`."""
        rows, records = self._of_full_width(range(first, first + len(records)), records)
        bad: set[int] = set()
        values: Values = {}
        for reader, cells in zip(self._readers, zip(*records, strict=True), strict=False):
            if reader is not None:
                values[reader.column.name] = self._read(reader, rows, cells, bad)
        if not values:
            return
        self._ignore_totals(rows, values, bad)
        self._check_keys(rows, records, values, bad)
        if bad:
            good = [index not in bad for index in range(len(rows))]
            rows = list(compress(rows, good))
            values = {name: list(compress(some, good)) for name, some in values.items()}
        keys = self._keys(values)
        self._add_to_preview(values)
        self._add_accounts(rows, keys, values)
        if self._dated:
            self._add_days(rows, keys, values)

    def finish(self) -> None:
        """Find the required values that no row of an account has, after the last record."""
        for row in self._footer:
            self._ignore(row, "footer")
        for (key, index), row in self._blank.items():
            if self.accounts.values(key)[index] == UNKNOWN:
                column = self._columns[index]
                message = (
                    "The cell is blank, and no other row of this account has the value. "
                    f"{expected(column)}"
                )
                self._problems.add(Problem(row, column.name, "value_missing", message))
        if self._keyed:
            self._check_names()

    def _of_full_width(
        self, rows: Sequence[int], records: Sequence[Sequence[str]]
    ) -> tuple[Sequence[int], Sequence[Sequence[str]]]:
        """Return the records that have a cell for each name of the header."""
        width = len(self._readers)
        if set(map(len, records)) == {width} and not self._footer:
            self._after_blank_row = not any(map(str.strip, records[-1]))
            return rows, records
        full: list[tuple[int, Sequence[str]]] = []
        for row, record in zip(rows, records, strict=True):
            blank = not any(map(str.strip, record))
            if blank:
                self._after_blank_row = True
            elif len(record) == 1 < width and (self._after_blank_row or self._footer):
                self._footer.append(row)
            else:
                self._end_footer(width)
                cut = record[:width] if not any(map(str.strip, record[width:])) else record
                if len(cut) == width:
                    full.append((row, cut))
                else:
                    self._add_width_problem(row, len(record), width)
                self._after_blank_row = False
        return [row for row, _ in full], [record for _, record in full]

    def _end_footer(self, width: int) -> None:
        """Report rows that looked like a footer, because the file goes on behind them."""
        for row in self._footer:
            self._add_width_problem(row, 1, width)
        self._footer.clear()

    def _add_width_problem(self, row: int, cells: int, width: int) -> None:
        message = (
            f"The row has {cells} cells, the header {width}. "
            "A cell with a delimiter in it has to be quoted."
        )
        code = "too_few_cells" if cells < width else "too_many_cells"
        self._problems.add(Problem(row, None, code, message))

    def _ignore(self, row: int, reason: str) -> None:
        if len(self.ignored) < MAX_IGNORED_LISTED:
            self.ignored.append(IgnoredRow(row, reason))

    def _ignore_totals(self, rows: Sequence[int], values: Values, bad: set[int]) -> None:
        """Mark the rows of totals: such a name, and no other text and no segment."""
        texts = [
            values[column.name]
            for column in self._columns
            if column.kind in ("text", "choice") and column is not NAME and column.name in values
        ]
        for index, name in enumerate(values[NAME.name]):
            if (
                name.lower() in TOTALS
                and index not in bad
                and all(some[index] == UNKNOWN for some in texts)
            ):
                bad.add(index)
                self._ignore(rows[index], "total")

    def _read(
        self, reader: Reader, rows: Sequence[int], cells: Iterable[str], bad: set[int]
    ) -> list[str]:
        """Return the values of one column; adds to `bad` the indexes of cells that have none."""
        try:
            return list(map(reader.__getitem__, cells))
        except CellError:  # read the cells one by one to find the invalid ones
            return [
                self._read_one(reader, row, index, cell, bad)
                for index, (row, cell) in enumerate(zip(rows, cells, strict=True))
            ]

    def _read_one(self, reader: Reader, row: int, index: int, cell: str, bad: set[int]) -> str:
        try:
            return reader[cell]
        except CellError as error:
            self._problems.add(Problem(row, reader.column.name, error.code, error.message))
            bad.add(index)
            return UNKNOWN

    def _check_keys(
        self, rows: Sequence[int], records: Sequence[Sequence[str]], values: Values, bad: set[int]
    ) -> None:
        """Find rows without a name, and days without a date. Blank rows are skipped silently."""
        for index in _unknown(values[NAME.name]):
            if index in bad:
                continue
            bad.add(index)
            if any(map(str.strip, records[index])):
                message = (
                    "The cell is blank: a row belongs to the account that it names. "
                    f"{expected(NAME)}"
                )
                self._problems.add(Problem(rows[index], NAME.name, "value_missing", message))
        for index in _unknown(values.get(DATE.name, ())):
            if index not in bad and any(values[name][index] != UNKNOWN for name in self._metrics):
                bad.add(index)
                message = f"The cell is blank, and the row has metrics of a day. {expected(DATE)}"
                self._problems.add(Problem(rows[index], DATE.name, "value_missing", message))

    def _keys(self, values: Values) -> list[str]:
        names = values[NAME.name]
        if not self._keyed:
            return names
        return [
            name if external_id == UNKNOWN else EXTERNAL_KEY + external_id
            for name, external_id in zip(names, values[EXTERNAL_ID.name], strict=True)
        ]

    def _add_to_preview(self, values: Values) -> None:
        for index in range(min(PREVIEW_ROWS - len(self.preview), len(values[NAME.name]))):
            row = {
                reader.column.name: _as_json(reader.column, values[reader.column.name][index])
                for reader in self._readers
                if reader is not None
            }
            if self._segment is not None and row.get(SEGMENT.name) is None:
                row[SEGMENT.name] = self._segment
            self.preview.append(row)

    def _add_accounts(self, rows: Sequence[int], keys: Sequence[str], values: Values) -> None:
        some = [values[column.name] for column in self._columns]
        for duplicate in self.accounts.add(rows, keys, zip(*some, strict=True)):
            if duplicate.differs:
                self._merge(duplicate)
        # whether a required value is missing is known only after the last row of the account
        for index, column in enumerate(self._columns):
            if column.required and not (column is SEGMENT and self._segment is not None):
                for blank in _unknown(some[index]):
                    self._blank.setdefault((keys[blank], index), rows[blank])

    def _merge(self, duplicate: DuplicateRow) -> None:
        """Fill unknown values of the account from a later row, and report contradictions."""
        merged = self.accounts.values(duplicate.key)
        for index, (column, now) in enumerate(zip(self._columns, duplicate.values, strict=True)):
            before = merged[index]
            if now in (before, UNKNOWN):
                continue
            if before == UNKNOWN:
                merged[index] = now
                self._filled[duplicate.key, column.name] = duplicate.row
            else:
                row = self._filled.get((duplicate.key, column.name))
                message = (
                    f"Row {row or self.accounts.row(duplicate.key)} has another value for the same "
                    "account. Rows of one external id, or of one name where there is none, are one "
                    "account, and have to agree."
                )
                self._problems.add(Problem(duplicate.row, column.name, "contradiction", message))
        self.accounts.replace(duplicate.key, merged)

    def _check_names(self) -> None:
        """Find accounts of one name, which have different keys where there are external ids."""
        index = self._columns.index(NAME)
        keys: dict[str, str] = {}
        for key in self.accounts:
            name = self.accounts.values(key)[index]
            first = keys.setdefault(name, key)
            if first != key:
                message = (
                    f"Row {self.accounts.row(first)} has the same name and another external id. "
                    "Names are unique: make them differ, by the country for example."
                )
                row = self.accounts.row(key)
                self._problems.add(Problem(row, NAME.name, "name_taken", message))

    def _add_days(self, rows: Sequence[int], keys: Sequence[str], values: Values) -> None:
        dated = [date != UNKNOWN for date in values[DATE.name]]
        day_keys = map(SEPARATOR.join, compress(zip(keys, values[DATE.name], strict=True), dated))
        metrics = (
            zip(*(values[name] for name in self._metrics), strict=True)
            if self._metrics
            else repeat((), len(rows))
        )
        for duplicate in self.days.add(compress(rows, dated), day_keys, compress(metrics, dated)):
            message = (
                f"Row {self.days.row(duplicate.key)} is the same account on the same date. "
                "Keep one of them."
            )
            self._problems.add(Problem(duplicate.row, DATE.name, "duplicate", message))


def _unknown(values: Sequence[str]) -> list[int]:
    """Return the indexes of unknown values."""
    if UNKNOWN not in values:
        return []
    return [index for index, value in enumerate(values) if value == UNKNOWN]


def _as_json(column: Column, value: str) -> Any:
    """Return a value of COPY's text format as JSON has it."""
    if value == UNKNOWN:
        return None
    match column.kind:
        case "integer":
            return int(value)
        case "dollars" | "ratio" | "number":
            return float(value)
        case "flag":
            return value == "t"
        case _:
            return value.replace(r"\\", "\\")
