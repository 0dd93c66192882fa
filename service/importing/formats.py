"""How a file writes numbers and dates: guessed from all of it, or given by the caller."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Literal

from service.schema.columns import Column

NumberFormat = Literal["1,234.5", "1.234,5"]
"""By example: a decimal point with commas between thousands, or the other way round."""
DateOrder = Literal["ymd", "mdy", "dmy"]
"""The order of a date in numbers. ISO 8601 (2026-12-31) is read in every order."""

POINT: Final[NumberFormat] = "1,234.5"
COMMA: Final[NumberFormat] = "1.234,5"

NUMERIC: Final = frozenset({"dollars", "integer", "ratio", "number"})
_DECIMAL: Final[dict[str, NumberFormat]] = {".": POINT, ",": COMMA}
_OTHER: Final = {".": ",", ",": "."}

_DECORATION: Final = re.compile(r"[+\-$%\s'\u00a0\u202f]")
_NUMERIC_DATE: Final = re.compile(r"([0-9]{1,2})([/.\-])([0-9]{1,2})\2([0-9]{4}|[0-9]{2})(\s.*)?")


@dataclass
class Formats:
    """The formats of one file.

    number, date: what is known or given. `None` where no cell needs it.
    ambiguous_number, ambiguous_date: the first cell (row, column) that could be read in two ways,
    as long as nothing decides it.
    """

    number: NumberFormat | None = None
    date: DateOrder | None = None
    ambiguous_number: tuple[int, Column] | None = None
    ambiguous_date: tuple[int, Column] | None = None
    _decided: set[str] = field(default_factory=set[str])

    @property
    def complete(self) -> bool:
        """Whether no further cell could change anything."""
        return self.number is not None and self.date is not None

    def look(self, column: Column, rows: Iterable[int], cells: Iterable[str]) -> None:
        """Take the evidence of one column's cells, which are in these rows."""
        if column.kind in NUMERIC and self.number is None:
            for row, cell in zip(rows, cells, strict=True):
                if "." in cell or "," in cell:
                    self._look_at_number(column, row, cell)
                    if self.number is not None:
                        return
        elif column.kind == "date" and self.date is None:
            for row, cell in zip(rows, cells, strict=True):
                if cell[4:5] == "-":  # ISO 8601, by far the most frequent, decides nothing
                    continue
                self._look_at_date(column, row, cell)
                if self.date is not None:
                    return

    def _look_at_number(self, column: Column, row: int, cell: str) -> None:
        found = number_format_of(cell, most=column.most)
        if found == "ambiguous":
            self.ambiguous_number = self.ambiguous_number or (row, column)
        elif found is not None:
            self.number = found

    def _look_at_date(self, column: Column, row: int, cell: str) -> None:
        found = date_order_of(cell)
        if found == "ambiguous":
            self.ambiguous_date = self.ambiguous_date or (row, column)
        elif found is not None:
            self.date = found


def number_format_of(cell: str, *, most: int) -> NumberFormat | Literal["ambiguous"] | None:
    """Return the format that a cell must have; None where several are possible.

    `most` is the largest value of the column: where it is below 1,000, nothing is grouped.
    One separator with exactly three digits behind it, and one to three in front, is ambiguous,
    unless a dollar sign shows that it is written as in the United States.
    """
    text = _DECORATION.sub("", cell)
    separators = [character for character in text if character in ".,"]
    if not separators or text.strip(".,0123456789eE"):
        return None
    last = separators[-1]
    if len(set(separators)) == 2:
        return _DECIMAL[last] if separators.count(last) == 1 else None
    if len(separators) > 1:
        return _DECIMAL[_OTHER[last]]
    whole, _, fraction = text.partition(last)
    grouped = len(fraction) == 3 and 1 <= len(whole) <= 3 and not whole.startswith("0")
    if grouped and most >= 1000:
        return POINT if "$" in cell else "ambiguous"
    return _DECIMAL[last]


def date_order_of(cell: str) -> DateOrder | Literal["ambiguous"] | None:
    """Return the order that a numeric date must have; None for ISO 8601 and for other texts."""
    found = _NUMERIC_DATE.fullmatch(cell.strip())
    if found is None:
        return None
    first, second = int(found[1]), int(found[3])
    if found[2] == "." or first > 12:
        return "dmy"
    return "mdy" if second > 12 else "ambiguous"


_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}
_MIDNIGHT: Final = (
    r"(?:[T ](?:0?0:00(?::00(?:\.0+)?)?|12:00(?::00)? ?AM)(?: ?(?:Z|UTC|[+-]00:?00))?)?"
)
_YEAR_FIRST: Final = re.compile(
    rf"([0-9]{{4}})([-/.])([0-9]{{1,2}})\2([0-9]{{1,2}}){_MIDNIGHT}", re.IGNORECASE
)
_YEAR_LAST: Final = re.compile(
    rf"([0-9]{{1,2}})([-/.])([0-9]{{1,2}})\2([0-9]{{4}}|[0-9]{{2}}){_MIDNIGHT}", re.IGNORECASE
)
_COMPACT: Final = re.compile(r"((?:19|20|21)[0-9]{2})([0-9]{2})([0-9]{2})")
_DAY_MONTH: Final = re.compile(
    rf"([0-9]{{1,2}})[ -]([A-Za-z]{{3,9}})\.?[ -]([0-9]{{4}}|[0-9]{{2}}){_MIDNIGHT}", re.IGNORECASE
)
_MONTH_DAY: Final = re.compile(
    rf"([A-Za-z]{{3,9}})\.? ([0-9]{{1,2}}),? ([0-9]{{4}}){_MIDNIGHT}", re.IGNORECASE
)
EXCEL_SERIAL: Final = re.compile(r"[1-9][0-9]{4}(?:\.0+)?")


def read_date(text: str, order: DateOrder | None) -> date | None:
    """Read a date as spreadsheets and CRMs write it, with no time or with midnight.

    None where the text is no such date. Raises ValueError for a day that does not exist. Years of
    two digits are 1970 to 2069.
    """
    if found := _YEAR_FIRST.fullmatch(text):
        return date(int(found[1]), int(found[3]), int(found[4]))
    if found := _COMPACT.fullmatch(text):
        return date(int(found[1]), int(found[2]), int(found[3]))
    if found := _DAY_MONTH.fullmatch(text):
        return _with_month(found[3], found[2], found[1])
    if found := _MONTH_DAY.fullmatch(text):
        return _with_month(found[3], found[1], found[2])
    found = _YEAR_LAST.fullmatch(text)
    if found is None or order not in ("dmy", "mdy"):
        return None
    day, month = (found[1], found[3]) if order == "dmy" else (found[3], found[1])
    return date(_year(found[4]), int(month), int(day))


def _with_month(year: str, name: str, day: str) -> date | None:
    month = _MONTHS.get(name[:3].lower())
    return None if month is None else date(_year(year), month, int(day))


def _year(text: str) -> int:
    return int(text) if len(text) == 4 else int(text) + (2000 if int(text) < 70 else 1900)
