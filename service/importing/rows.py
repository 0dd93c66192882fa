"""The rows of a file, cell by cell and against each other."""

from collections.abc import Iterable, Sequence
from itertools import compress, repeat

from service.importing.cells import UNKNOWN, CellError, Reader, expected
from service.importing.lines import SEPARATOR, Again, Lines
from service.importing.problems import Problem, Problems
from service.schema.columns import ACCOUNT_COLUMNS, DAY_COLUMNS, Column

NAME, *_OTHERS = ACCOUNT_COLUMNS
DATE, *_METRICS = DAY_COLUMNS

Values = dict[str, list[str]]
"""By column, one for each row."""


class Rows:
    """Takes the records that follow a header, adds what is wrong to `problems`, and gathers what is right in `accounts` and `days`.

    Rows of one name are one account. They agree on each of its columns: a blank cell says nothing beside a value in another row, in
    whatever order they come; two different values are a problem of the later row. A row with a date is a day of the account as well; two
    of one account and date are a problem, also when they are equal.
    """

    def __init__(self, columns: Sequence[Column | None], problems: Problems) -> None:
        self._problems = problems
        self._readers = [None if column is None else Reader(column) for column in columns]
        self._others = [column for column in _OTHERS if column in columns]
        self._metrics = [column.name for column in _METRICS if column in columns]
        self._dated = DATE in columns
        self.accounts = Lines([NAME.name, *(column.name for column in self._others)])
        self.days = Lines([NAME.name, DATE.name, *self._metrics])
        self._filled: dict[tuple[str, str], int] = {}
        self._blank: dict[tuple[str, int], int] = {}

    def take(self, first: int, records: Sequence[Sequence[str]]) -> None:
        """Records that follow each other in the file, the first of them in row `first`."""
        rows, records = self._of_full_width(range(first, first + len(records)), records)
        bad: set[int] = set()
        values: Values = {}
        for reader, cells in zip(self._readers, zip(*records, strict=True), strict=False):
            if reader is not None:
                values[reader.column.name] = self._read(reader, rows, cells, bad)
        if not values:
            return
        self._find_lacking_keys(rows, records, values, bad)
        if bad:
            good = [place not in bad for place in range(len(rows))]
            rows = list(compress(rows, good))
            values = {name: list(compress(some, good)) for name, some in values.items()}
        self._add_accounts(rows, values)
        if self._dated:
            self._add_days(rows, values)

    def finish(self) -> None:
        """After the last record: finds what no row of an account has said."""
        for (name, place), row in self._blank.items():
            if self.accounts.values(name)[place] == UNKNOWN:
                column = self._others[place]
                message = f"The cell is blank, and no other row of this account has the value. {expected(column)}"
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
                few = len(record) < width
                message = f"The row has {len(record)} cells, the header {width}. A cell with a delimiter in it has to be quoted."
                self._problems.add(
                    Problem(row, None, "too_few_cells" if few else "too_many_cells", message)
                )
        full = [len(record) == width for record in records]
        return list(compress(rows, full)), list(compress(records, full))

    def _read(
        self, reader: Reader, rows: Sequence[int], cells: Iterable[str], bad: set[int]
    ) -> list[str]:
        """The values of one column. Adds to `bad` the places of the cells that have none."""
        try:
            return list(map(reader.__getitem__, cells))
        except CellError:  # then one by one, to tell which
            return [
                self._read_one(reader, row, place, cell, bad)
                for place, (row, cell) in enumerate(zip(rows, cells, strict=True))
            ]

    def _read_one(self, reader: Reader, row: int, place: int, cell: str, bad: set[int]) -> str:
        try:
            return reader[cell]
        except CellError as error:
            self._problems.add(Problem(row, reader.column.name, error.code, error.message))
            bad.add(place)
            return ""

    def _find_lacking_keys(
        self, rows: Sequence[int], records: Sequence[Sequence[str]], values: Values, bad: set[int]
    ) -> None:
        """Rows without a name, and days without a date. Rows without anything are left out silently."""
        for place in _places(values[NAME.name]):
            bad.add(place)
            if any(map(str.strip, records[place])):
                message = f"The cell is blank: a row belongs to the account that it names. {expected(NAME)}"
                self._problems.add(Problem(rows[place], NAME.name, "value_missing", message))
        for place in _places(values.get(DATE.name, ())):
            if place not in bad and any(values[name][place] != UNKNOWN for name in self._metrics):
                bad.add(place)
                message = f"The cell is blank, and the row has metrics of a day. {expected(DATE)}"
                self._problems.add(Problem(rows[place], DATE.name, "value_missing", message))

    def _add_accounts(self, rows: Sequence[int], values: Values) -> None:
        names = values[NAME.name]
        others = [values[column.name] for column in self._others]
        for again in self.accounts.add(rows, names, zip(*others, strict=True)):
            if again.differs:
                self._merge(again)
        for place, column in enumerate(self._others):
            if column.required:
                for blank in _places(others[place]):
                    self._blank.setdefault((names[blank], place), rows[blank])

    def _merge(self, again: Again) -> None:
        """Fills what was blank."""
        merged = self.accounts.values(again.key)
        for place, (column, now) in enumerate(zip(self._others, again.values, strict=True)):
            before = merged[place]
            if now in (before, UNKNOWN):
                continue
            if before == UNKNOWN:
                merged[place] = now
                self._filled[again.key, column.name] = again.row
            else:
                said = self._filled.get((again.key, column.name)) or self.accounts.row(again.key)
                message = f"Row {said} says otherwise of the same account. Rows of one name are one account, and have to agree."
                self._problems.add(Problem(again.row, column.name, "contradiction", message))
        self.accounts.replace(again.key, merged)

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
        for again in self.days.add(compress(rows, dated), keys, compress(metrics, dated)):
            message = f"Row {self.days.row(again.key)} is the same account on the same date. Keep one of them."
            self._problems.add(Problem(again.row, DATE.name, "duplicate", message))


def _places(values: Sequence[str]) -> list[int]:
    """Where nothing is known."""
    return (
        [place for place, value in enumerate(values) if value == UNKNOWN]
        if UNKNOWN in values
        else []
    )
