"""Reads the cells of a file, strictly: one reader for each kind of column.

Values are in the text format of PostgreSQL's COPY. Equal values have equal texts, however they
were written.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from service.importing.formats import COMMA, EXCEL_SERIAL, DateOrder, NumberFormat, read_date
from service.importing.formulas import unprotected
from service.schema import limits
from service.schema.columns import Column, Kind
from service.schema.text import InvisibleCharacterError, normalize

UNKNOWN: Final = r"\N"
"""COPY's null: a blank cell."""

MAX_CELL: Final = 1000
"""Characters of a cell that holds no text: no number or date within its bounds needs as many."""

REMEMBERED: Final = 2000
"""Distinct cells of one column whose result is kept, so that repeated ones are read once."""

_CLEAN: Final = re.compile(limits.PRINTABLE)
_EXCEL_ERROR: Final = re.compile(
    r"#(N/A|NA|REF!|VALUE!|DIV/0!|NAME\?|NULL!|NUM!|SPILL!|CALC!|FIELD!|BLOCKED!|CONNECT!|UNKNOWN!"
    r"|GETTING_DATA|#+)",
    re.IGNORECASE,
)
_FLAGS: Final = {
    **dict.fromkeys(("yes", "y", "true", "t", "1"), "t"),
    **dict.fromkeys(("no", "n", "false", "f", "0"), "f"),
}


class _Patterns(NamedTuple):
    """The forms of numbers in one format."""

    integer: re.Pattern[str]
    dollars: re.Pattern[str]
    number: re.Pattern[str]
    percent: re.Pattern[str]
    drop: Mapping[int, Any]

    def to_python(self, text: str) -> str:
        """Return a number as Python reads it: no groups, a decimal point."""
        return text.translate(self.drop)


def _patterns(group: str, decimal: str) -> _Patterns:
    digits = rf"[0-9]+|[0-9]{{1,3}}(?:[{group} '\u00a0\u202f][0-9]{{3}})+"
    amount = rf"(?:{digits})(?:{decimal}[0-9]*)?|{decimal}[0-9]+"
    drop: dict[int, Any] = str.maketrans(decimal[-1], ".", f"{group[-1]} '\u00a0\u202f")
    return _Patterns(
        integer=re.compile(rf"([+-]?(?:{digits}))(?:{decimal}0*)?"),
        dollars=re.compile(rf"([+-]?)\$? ?({amount})"),
        number=re.compile(rf"[+-]?(?:{amount})(?:e[+-]?[0-9]{{1,5}})?", re.IGNORECASE),
        percent=re.compile(rf"([+-]?(?:{amount})) ?%"),
        drop=drop,
    )


_WITH_POINT: Final = _patterns(",", r"\.")
_WITH_COMMA: Final = _patterns(r"\.", ",")


class CellError(ValueError):
    """A cell that cannot be read; `code` and `message` as in a `Problem`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code = code
        self.message = message


class Reader(dict[str, str]):
    """Maps the cells of a column to their values: `reader[cell]` is COPY's text.

    Blanks around a cell do not count. A blank cell is `UNKNOWN`, also where a value is required,
    because another row may have it. Raises `CellError`.
    """

    def __init__(
        self,
        column: Column,
        number_format: NumberFormat | None = None,
        date_order: DateOrder | None = None,
    ) -> None:
        super().__init__()
        self.column = column
        self.patterns = _WITH_COMMA if number_format == COMMA else _WITH_POINT
        self.date_order: DateOrder | None = date_order
        self._read = _READERS[column.kind]
        self._errors: dict[str, CellError] = {}

    def __missing__(self, cell: str) -> str:
        known = self._errors.get(cell)
        if known is not None:
            raise known
        try:
            value = self._value(cell)
        except CellError as error:
            if len(self._errors) < REMEMBERED:
                self._errors[cell] = error
            raise
        if len(self) < REMEMBERED:
            self[cell] = value
        return value

    def _value(self, cell: str) -> str:
        text = unprotected(cell.strip(" \u00a0"))
        if not text:
            return UNKNOWN
        if text.startswith("#") and _EXCEL_ERROR.fullmatch(text):
            raise CellError(
                "excel_error",
                "The cell holds an error of the spreadsheet. Correct its formula, or clear it.",
            )
        if len(text) > MAX_CELL and self.column.kind != "text":
            message = f"The cell is longer than {MAX_CELL} characters. {expected(self.column)}"
            raise CellError("too_long", message)
        return self._read(self, text)


def expected(column: Column) -> str:
    """Return the form of a column's cells, in a sentence."""
    numbers = f"from {column.least} to {column.most}"
    match column.kind:
        case "text":
            return f"At most {column.most} characters are expected."
        case "choice":
            return f"Expected is one of {', '.join(column.choices)}."
        case "dollars":
            return f"A dollar amount {numbers} is expected, such as 1200.50 or $1,200.50."
        case "integer":
            return f"A whole number {numbers} is expected, such as 80."
        case "ratio":
            return f"A ratio {numbers} is expected, such as 0.45, or a percentage such as 45%."
        case "number":
            return f"A number {numbers} is expected, such as 24.5."
        case "date":
            return "A date is expected as year-month-day, such as 2026-12-31."
        case "flag":
            return "Expected is yes or no; true, false, 1 and 0 are read too."


def _malformed(column: Column) -> CellError:
    return CellError(f"{column.kind}_expected", expected(column))


def _out_of_range(column: Column) -> CellError:
    return CellError("out_of_range", expected(column))


def _text(reader: Reader, text: str) -> str:
    if not _CLEAN.fullmatch(text):
        raise CellError(
            "control_character",
            "The cell holds a control character, such as a line break or a tab. Remove it.",
        )
    try:
        normal = normalize(text)
    except InvisibleCharacterError:
        raise CellError(
            "invisible_character",
            "The cell holds an invisible character, such as a zero-width space. Remove it.",
        ) from None
    if len(normal) > reader.column.most:
        raise CellError("too_long", expected(reader.column))
    return normal.replace("\\", r"\\") or UNKNOWN


def _choice(reader: Reader, text: str) -> str:
    """Read one of the choices in any case, with blanks, underscores or hyphens, or without."""
    wanted = _plain(text)
    for choice in reader.column.choices:
        if _plain(choice) == wanted:
            return choice
    raise _malformed(reader.column)


def _plain(text: str) -> str:
    return re.sub("[ _-]", "", text).lower()


def _dollars(reader: Reader, text: str) -> str:
    """Read an amount, rounded to the cent."""
    found = reader.patterns.dollars.fullmatch(text)
    if not found:
        raise _malformed(reader.column)
    return f"{_within(reader, found[1] + found[2]):.2f}"


def _integer(reader: Reader, text: str) -> str:
    found = reader.patterns.integer.fullmatch(text)
    if not found:
        raise _malformed(reader.column)
    value = int(reader.patterns.to_python(found[1]))
    if not reader.column.least <= value <= reader.column.most:
        raise _out_of_range(reader.column)
    return str(value)


def _ratio(reader: Reader, text: str) -> str:
    percent = reader.patterns.percent.fullmatch(text)
    return repr(_within(reader, percent[1], "e-2")) if percent else _number(reader, text)


def _number(reader: Reader, text: str) -> str:
    if not reader.patterns.number.fullmatch(text):
        raise _malformed(reader.column)
    return repr(_within(reader, text))


def _within(reader: Reader, text: str, exponent: str = "") -> float:
    value = float(reader.patterns.to_python(text) + exponent)
    if not reader.column.least <= value <= reader.column.most:
        raise _out_of_range(reader.column)
    return value + 0.0  # never the negative zero


def _date(reader: Reader, text: str) -> str:
    try:
        found = read_date(text, reader.date_order)
    except ValueError:
        message = f"There is no such day. {expected(reader.column)}"
        raise CellError("out_of_range", message) from None
    if found is not None:
        return found.isoformat()
    if EXCEL_SERIAL.fullmatch(text):
        message = (
            "The cell holds a spreadsheet's serial number of a day. A date is expected: format the "
            "column as date."
        )
        raise CellError("date_expected", message)
    raise _malformed(reader.column)


def _flag(reader: Reader, text: str) -> str:
    value = _FLAGS.get(text.lower())
    if value is None:
        raise _malformed(reader.column)
    return value


_READERS: Final[dict[Kind, Callable[[Reader, str], str]]] = {
    "text": _text,
    "choice": _choice,
    "dollars": _dollars,
    "integer": _integer,
    "ratio": _ratio,
    "number": _number,
    "date": _date,
    "flag": _flag,
}
