"""Collects the rows of a table as text for PostgreSQL's COPY, one row for each key."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Final, NamedTuple

SEPARATOR: Final = "\t"
PIECE_LINES: Final = 2000
"""Lines of one piece of text."""


class DuplicateRow(NamedTuple):
    """A row whose key is there already; `differs` when its values are not the same."""

    row: int
    key: str
    values: Sequence[str]
    differs: bool


class CopyBuffer:
    """The rows of a table in COPY's text format: the key first, then the others of `columns`."""

    # A file of a few MiB may have hundreds of thousands of rows, so a row takes as little memory as
    # possible: one entry of a dict, from the key to the rest of the line that COPY gets, and its
    # row number in an array. The index from keys to row numbers is built only for a message.

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns = tuple(columns)
        self._rest_of_line: dict[str, str] = {}
        self._rows = array("I")
        self._row_of: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._rest_of_line)

    def __contains__(self, key: str) -> bool:
        return key in self._rest_of_line

    def __iter__(self) -> Iterator[str]:
        """Iterate over the keys, in the order of the file."""
        return iter(self._rest_of_line)

    def text(self) -> Iterator[str]:
        """Yield all lines, in pieces of `PIECE_LINES`."""
        items = iter(self._rest_of_line.items())
        while piece := "".join(chain.from_iterable(islice(items, PIECE_LINES))):
            yield piece

    def add(
        self, rows: Iterable[int], keys: Iterable[str], values: Iterable[Sequence[str]]
    ) -> list[DuplicateRow]:
        """Add the rows whose key is new; return the others."""
        duplicates: list[DuplicateRow] = []
        for row, key, some in zip(rows, keys, values, strict=False):
            rest = _rest_of_line(some)
            if key in self._rest_of_line:
                duplicates.append(DuplicateRow(row, key, some, self._rest_of_line[key] != rest))
            else:
                self._rest_of_line[key] = rest
                self._rows.append(row)
        return duplicates

    def row(self, key: str) -> int:
        """Return the row in which the key was first."""
        if len(self._row_of) != len(self._rows):
            self._row_of = dict(zip(self._rest_of_line, self._rows, strict=True))
        return self._row_of[key]

    def values(self, key: str) -> list[str]:
        """Return the values behind a key."""
        return self._rest_of_line[key][1:-1].split(SEPARATOR)

    def replace(self, key: str, values: Sequence[str]) -> None:
        """Give a key other values."""
        self._rest_of_line[key] = _rest_of_line(values)


def _rest_of_line(values: Sequence[str]) -> str:
    """Return what follows the key in its line."""
    return f"{SEPARATOR}{SEPARATOR.join(values)}\n" if values else "\n"
