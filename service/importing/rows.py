"""Validates the rows of a file: their cells, and rows of the same account against each other."""

from collections.abc import Iterable, Sequence
from itertools import compress, repeat

from service.importing.cells import UNKNOWN, CellError, Reader, expected
from service.importing.copy_buffer import SEPARATOR, CopyBuffer, DuplicateRow
from service.importing.problems import Problem, Problems
from service.schema.columns import ACCOUNT_COLUMNS, DAY_COLUMNS, Column

NAME, *_OTHERS = ACCOUNT_COLUMNS
DATE, *_METRICS = DAY_COLUMNS

Values = dict[str, list[str]]
"""By column, the values of all rows of a chunk."""


class Rows:
    """Collects the valid rows after a header in `accounts` and `days`, and the others' `problems`.

    Rows of one name are one account and have to agree on its columns, in whatever order they come.
    A blank cell agrees with any value; two different values are a problem of the later row. A row
    with a date is a day of its account too; two days of the same account and date are a problem,
    also when they are equal.
    """

    # A file may have hundreds of thousands of rows, so the usual case has no loop over cells in
    # Python. A chunk of records is transposed to columns; each column is mapped to its values by a
    # dict (`Reader`) in C; and CopyBuffer finds rows with a known key. Only a column with a bad
    # cell is read again one by one, and only rows with a known key are compared.

    def __init__(self, columns: Sequence[Column | None], problems: Problems) -> None:
        self._problems = problems
        self._readers = [None if column is None else Reader(column) for column in columns]
        self._others = [column for column in _OTHERS if column in columns]
        self._metrics = [column.name for column in _METRICS if column in columns]
        self._dated = DATE in columns
        self.accounts = CopyBuffer([NAME.name, *(column.name for column in self._others)])
        self.days = CopyBuffer([NAME.name, DATE.name, *self._metrics])
        # the row that gave an account's column its value, where that was not the first row
        self._filled: dict[tuple[str, str], int] = {}
        # the first row with a blank cell, by name and index of a required column
        self._blank: dict[tuple[str, int], int] = {}

    def add(self, first: int, records: Sequence[Sequence[str]]) -> None:
        """Add records that follow each other in the file; `first` is the row of the first one."""
        rows, records = self._of_full_width(range(first, first + len(records)), records)
        bad: set[int] = set()
        values: Values = {}
        for reader, cells in zip(self._readers, zip(*records, strict=True), strict=False):
            if reader is not None:
                values[reader.column.name] = self._read(reader, rows, cells, bad)
        if not values:
            return
        self._check_keys(rows, records, values, bad)
        if bad:
            good = [index not in bad for index in range(len(rows))]
            rows = list(compress(rows, good))
            values = {name: list(compress(column, good)) for name, column in values.items()}
        self._add_accounts(rows, values)
        if self._dated:
            self._add_days(rows, values)

    def finish(self) -> None:
        """Find the required values that no row of an account has, after the last record."""
        for (name, index), row in self._blank.items():
            if self.accounts.values(name)[index] == UNKNOWN:
                column = self._others[index]
                message = (
                    "The cell is blank, and no other row of this account has the value."
                    f" {expected(column)}"
                )
                self._problems.add(Problem(row, column.name, "value_missing", message))

    def _of_full_width(
        self, rows: Sequence[int], records: Sequence[Sequence[str]]
    ) -> tuple[Sequence[int], Sequence[Sequence[str]]]:
        """The records that have a cell for each name of the header."""
        width = len(self._readers)
        if set(map(len, records)) == {width}:
            return rows, records
        for row, record in zip(rows, records, strict=True):
            if len(record) != width and any(map(str.strip, record)):
                code = "too_few_cells" if len(record) < width else "too_many_cells"
                message = (
                    f"The row has {len(record)} cells, the header {width}."
                    " A cell with a delimiter in it has to be quoted."
                )
                self._problems.add(Problem(row, None, code, message))
        full = [len(record) == width for record in records]
        return list(compress(rows, full)), list(compress(records, full))

    def _read(
        self, reader: Reader, rows: Sequence[int], cells: Iterable[str], bad: set[int]
    ) -> list[str]:
        """The values of one column. Adds the indexes of invalid cells to `bad`."""
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
            return ""

    def _check_keys(
        self, rows: Sequence[int], records: Sequence[Sequence[str]], values: Values, bad: set[int]
    ) -> None:
        """Add the indexes of rows without a name and of days without a date to `bad`.

        A row of blank cells is no problem.
        """
        for index in _unknown(values[NAME.name]):
            bad.add(index)
            if any(map(str.strip, records[index])):
                message = (
                    "The cell is blank: a row belongs to the account that it names."
                    f" {expected(NAME)}"
                )
                self._problems.add(Problem(rows[index], NAME.name, "value_missing", message))
        for index in _unknown(values.get(DATE.name, ())):
            if index not in bad and any(values[name][index] != UNKNOWN for name in self._metrics):
                bad.add(index)
                message = f"The cell is blank, and the row has metrics of a day. {expected(DATE)}"
                self._problems.add(Problem(rows[index], DATE.name, "value_missing", message))

    def _add_accounts(self, rows: Sequence[int], values: Values) -> None:
        names = values[NAME.name]
        others = [values[column.name] for column in self._others]
        for duplicate in self.accounts.add(rows, names, zip(*others, strict=True)):
            if duplicate.differs:
                self._merge(duplicate)
        # whether a required value is missing is known only after the last row of the account
        for index, column in enumerate(self._others):
            if column.required:
                for blank in _unknown(others[index]):
                    self._blank.setdefault((names[blank], index), rows[blank])

    def _merge(self, duplicate: DuplicateRow) -> None:
        """Fill the unknown values of the account from a later row, and report contradictions."""
        name, merged = duplicate.key, self.accounts.values(duplicate.key)
        for index, (column, value) in enumerate(zip(self._others, duplicate.values, strict=True)):
            if value in (merged[index], UNKNOWN):
                continue
            if merged[index] == UNKNOWN:
                merged[index] = value
                self._filled[name, column.name] = duplicate.row
            else:
                first = self._filled.get((name, column.name)) or self.accounts.row(name)
                message = (
                    f"Row {first} has another value for the same account."
                    " Rows of one name are one account, and have to agree."
                )
                self._problems.add(Problem(duplicate.row, column.name, "contradiction", message))
        self.accounts.replace(name, merged)

    def _add_days(self, rows: Sequence[int], values: Values) -> None:
        dated = [date != UNKNOWN for date in values[DATE.name]]
        keys = map(
            SEPARATOR.join, compress(zip(values[NAME.name], values[DATE.name], strict=True), dated)
        )
        metrics = (
            zip(*(values[name] for name in self._metrics), strict=True)
            if self._metrics
            else repeat((), len(rows))
        )
        for duplicate in self.days.add(compress(rows, dated), keys, compress(metrics, dated)):
            first = self.days.row(duplicate.key)
            message = f"Row {first} is the same account on the same date. Keep one of them."
            self._problems.add(Problem(duplicate.row, DATE.name, "duplicate", message))


def _unknown(values: Sequence[str]) -> list[int]:
    """The indexes of unknown values."""
    if UNKNOWN not in values:
        return []
    return [index for index, value in enumerate(values) if value == UNKNOWN]
