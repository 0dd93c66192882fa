"""Appends rows to tables by COPY, PostgreSQL's fastest way to load many."""

from collections.abc import Callable, Iterable, Sequence
from io import BufferedReader, BytesIO, RawIOBase
from typing import Any, Final

from psycopg2.extensions import cursor

from service.queries.numbers import format_numbers

BUFFER: Final = 2**16
"""Bytes that are sent to the database at a time."""

_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})

_FORMATTERS: dict[type, Callable[[Any], str]] = {
    type(None): lambda _: r"\N",
    str: lambda text: text.translate(_ESCAPES),
    tuple: format_numbers,
}
"""Values in COPY's text format, by type; other types are formatted by `str`."""


def copy_rows(
    statements: cursor, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """Append `rows`, whose values are in the order of `columns`; a tuple is an array of numbers.

    All rows are in memory at once, and one statement sends them.
    """
    lines = ["\t".join([_FORMATTERS.get(type(value), str)(value) for value in row]) for row in rows]
    text = BytesIO("\n".join([*lines, ""]).encode())
    statements.copy_expert(_copy(table, columns), text)


def copy_text(
    statements: cursor, table: str, columns: Sequence[str], pieces: Iterable[str]
) -> None:
    """Append rows that are in COPY's text format already.

    One statement, with one piece in memory at a time.
    """
    # psycopg2 reads BUFFER bytes at a time and sends each read as a message. BufferedReader returns
    # exactly that many bytes whatever the size of the pieces; _Pieces alone would return less.
    reader = BufferedReader(_Pieces(pieces), BUFFER)
    statements.copy_expert(_copy(table, columns), reader, size=BUFFER)


def _copy(table: str, columns: Sequence[str]) -> str:
    return f"COPY {table} ({', '.join(columns)}) FROM STDIN"


class _Pieces(RawIOBase):
    """A readable file whose content is a sequence of texts."""

    def __init__(self, pieces: Iterable[str]) -> None:
        self._pieces = iter(pieces)
        self._piece = BytesIO()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not (count := self._piece.readinto(buffer)):
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._piece = BytesIO(piece.encode())
        return count
