"""Rows into tables by COPY, the fastest way in."""

from collections.abc import Callable, Iterable, Sequence
from io import BytesIO
from typing import Any

from psycopg2.extensions import cursor

from service.queries.numbers import format_numbers

_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})

_WRITTEN: dict[type, Callable[[Any], str]] = {
    type(None): lambda _: r"\N",
    str: lambda text: text.translate(_ESCAPES),
    tuple: format_numbers,
}
"""Other types as they are printed."""


def copy_rows(statements: cursor, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Appends `rows`, whose values stand in the order of `columns`; a tuple is an array of numbers. One statement, held in memory."""
    lines = ["\t".join([_WRITTEN.get(type(value), str)(value) for value in row]) for row in rows]
    statements.copy_expert(f"COPY {table} ({', '.join(columns)}) FROM STDIN", BytesIO("\n".join([*lines, ""]).encode()))
