"""Converts cells to values: each kind of column has one reader and one documented form."""

import re
from collections.abc import Callable
from datetime import date
from typing import Final

from service.importing.formulas import unprotected
from service.schema import limits
from service.schema.columns import Column, Kind

UNKNOWN: Final = r"\N"
"""A blank cell. All values are in the text format of PostgreSQL's COPY, in which this is null."""

MAX_CELL: Final = 1000
"""Characters of a cell that is not text; numbers and dates within their bounds need fewer."""

REMEMBERED: Final = 2000
"""Distinct cells of one column whose values are cached."""

_CLEAN: Final = re.compile(limits.PRINTABLE)
_DIGITS: Final = r"[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+"
_AMOUNT: Final = rf"(?:{_DIGITS})(?:\.[0-9]*)?|\.[0-9]+"
_INTEGER: Final = re.compile(rf"([+-]?(?:{_DIGITS}))(?:\.0*)?")
_DOLLARS: Final = re.compile(rf"([+-]?)\$? ?({_AMOUNT})")
_NUMBER: Final = re.compile(rf"[+-]?(?:{_AMOUNT})(?:e[+-]?[0-9]{{1,5}})?", re.IGNORECASE)
_PERCENT: Final = re.compile(rf"([+-]?(?:{_AMOUNT})) ?%")
_DATE: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_FLAGS: Final = {
    **dict.fromkeys(("yes", "y", "true", "t", "1"), "t"),
    **dict.fromkeys(("no", "n", "false", "f", "0"), "f"),
}


class CellError(ValueError):
    """`code` and `message` as in a `Problem`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code = code
        self.message = message


class Reader(dict[str, str]):
    """The values of a column: `reader[cell]` is the value in COPY's format, or raises `CellError`.

    Spaces around a cell are ignored. A blank cell is `UNKNOWN`, also in a required column, whose
    value another row may have. Equal values are equal texts, whatever the form of their cells.
    """

    def __init__(self, column: Column) -> None:
        super().__init__()
        self.column = column
        self._read = _READERS[column.kind]

    def __missing__(self, cell: str) -> str:
        text = unprotected(cell.strip(" "))
        if len(text) > MAX_CELL and self.column.kind != "text":
            raise CellError(
                "too_long",
                f"The cell is longer than {MAX_CELL} characters. {expected(self.column)}",
            )
        value = self._read(self.column, text) if text else UNKNOWN
        if len(self) < REMEMBERED:
            self[cell] = value
        return value


def expected(column: Column) -> str:
    """A sentence that says what a cell of the column may hold."""
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


def _text(column: Column, text: str) -> str:
    if len(text) > column.most:
        raise CellError("too_long", expected(column))
    if not _CLEAN.fullmatch(text):
        raise CellError(
            "control_character",
            "The cell holds a control character, such as a line break or a tab. Remove it.",
        )
    return text.replace("\\", r"\\")


def _choice(column: Column, text: str) -> str:
    """Case, spaces, underscores and hyphens are ignored."""
    wanted = _plain(text)
    for choice in column.choices:
        if _plain(choice) == wanted:
            return choice
    raise _malformed(column)


def _plain(text: str) -> str:
    return re.sub("[ _-]", "", text).lower()


def _dollars(column: Column, text: str) -> str:
    """Rounded to the cent."""
    found = _DOLLARS.fullmatch(text)
    if not found:
        raise _malformed(column)
    return f"{_within(column, found[1] + found[2]):.2f}"


def _integer(column: Column, text: str) -> str:
    found = _INTEGER.fullmatch(text)
    if not found:
        raise _malformed(column)
    value = int(found[1].replace(",", ""))
    if not column.least <= value <= column.most:
        raise _out_of_range(column)
    return str(value)


def _ratio(column: Column, text: str) -> str:
    percent = _PERCENT.fullmatch(text)
    return repr(_within(column, f"{percent[1]}e-2")) if percent else _number(column, text)


def _number(column: Column, text: str) -> str:
    if not _NUMBER.fullmatch(text):
        raise _malformed(column)
    return repr(_within(column, text))


def _within(column: Column, text: str) -> float:
    value = float(text.replace(",", ""))
    if not column.least <= value <= column.most:
        raise _out_of_range(column)
    return value + 0.0  # converts the negative zero


def _date(column: Column, text: str) -> str:
    found = _DATE.fullmatch(text)
    if not found:
        raise _malformed(column)
    try:
        return date(int(found[1]), int(found[2]), int(found[3])).isoformat()
    except ValueError:
        raise CellError("out_of_range", f"There is no such day. {expected(column)}") from None


def _flag(column: Column, text: str) -> str:
    value = _FLAGS.get(text.lower())
    if value is None:
        raise _malformed(column)
    return value


_READERS: Final[dict[Kind, Callable[[Column, str], str]]] = {
    "text": _text,
    "choice": _choice,
    "dollars": _dollars,
    "integer": _integer,
    "ratio": _ratio,
    "number": _number,
    "date": _date,
    "flag": _flag,
}
