"""Buffers the rows of a file by their key, in the text format of PostgreSQL's COPY."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Final, NamedTuple

SEPARATOR: Final = "\t"
AT_ONCE: Final = 2000
"""Rows of one piece of text."""


class DuplicateRow(NamedTuple):
    """A row whose key is in the buffer already; `differs` when its values are not the same."""

    row: int
    key: str
    values: Sequence[str]
    differs: bool


class CopyBuffer:
    """The rows of one table. `columns` are those of the key and then the others.

    The values are in COPY's format already, and a key of several columns is joined by `SEPARATOR`.
    """

    # A file of a few MiB may have hundreds of thousands of rows, so a row takes as little memory as
    # possible: one entry of a dict, from the key to the rest of the line that COPY gets, and its
    # row number in an array. The index from keys to row numbers is built only for a message.

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns = tuple(columns)
        self._rest_of_line: dict[str, str] = {}
        self._rows = array("I")
        self._row_by_key: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._rest_of_line)

    def text(self) -> Iterator[str]:
        """The lines of all rows, in pieces of `AT_ONCE`."""
        items = iter(self._rest_of_line.items())
        while piece := "".join(chain.from_iterable(islice(items, AT_ONCE))):
            yield piece

    def add(
        self, rows: Iterable[int], keys: Iterable[str], values: Iterable[Sequence[str]]
    ) -> list[DuplicateRow]:
        """Add the rows whose key is new, and return the others. The arguments are parallel."""
        duplicates: list[DuplicateRow] = []
        for row, key, row_values in zip(rows, keys, values, strict=False):
            rest = _rest(row_values)
            if key in self._rest_of_line:
                differs = self._rest_of_line[key] != rest
                duplicates.append(DuplicateRow(row, key, row_values, differs))
            else:
                self._rest_of_line[key] = rest
                self._rows.append(row)
        return duplicates

    def row(self, key: str) -> int:
        """The number of the first row with this key."""
        if len(self._row_by_key) != len(self._rows):
            self._row_by_key = dict(zip(self._rest_of_line, self._rows, strict=True))
        return self._row_by_key[key]

    def values(self, key: str) -> list[str]:
        return self._rest_of_line[key][1:-1].split(SEPARATOR)

    def replace(self, key: str, values: Sequence[str]) -> None:
        self._rest_of_line[key] = _rest(values)


def _rest(values: Sequence[str]) -> str:
    """What follows the key in the line of a row."""
    return f"{SEPARATOR}{SEPARATOR.join(values)}\n" if values else "\n"
