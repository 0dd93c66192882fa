"""Rows into tables by COPY, the fastest way in."""

from collections.abc import Callable, Iterable, Sequence
from io import BufferedReader, BytesIO, RawIOBase
from typing import Any, Final

from psycopg2.extensions import cursor

from service.queries.numbers import format_numbers

BUFFER: Final = 2**16
"""Bytes that go to the database at a time."""

_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})

_WRITTEN: dict[type, Callable[[Any], str]] = {
    type(None): lambda _: r"\N",
    str: lambda text: text.translate(_ESCAPES),
    tuple: format_numbers,
}
"""Other types as they are printed."""


def copy_rows(
    statements: cursor, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """Appends `rows`, whose values stand in the order of `columns`; a tuple is an array of numbers. One statement, held in memory."""
    lines = ["\t".join([_WRITTEN.get(type(value), str)(value) for value in row]) for row in rows]
    statements.copy_expert(
        f"COPY {table} ({', '.join(columns)}) FROM STDIN", BytesIO("\n".join([*lines, ""]).encode())
    )


def copy_text(
    statements: cursor, table: str, columns: Sequence[str], pieces: Iterable[str]
) -> None:
    """Appends rows that are in COPY's text format already. One statement, of which one piece is in memory at a time."""
    statements.copy_expert(
        f"COPY {table} ({', '.join(columns)}) FROM STDIN",
        BufferedReader(_Pieces(pieces), BUFFER),
        size=BUFFER,
    )


class _Pieces(RawIOBase):
    """Texts as a file."""

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
