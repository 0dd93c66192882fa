"""What a file says, gathered as lines of text by their key."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Final, NamedTuple

SEPARATOR: Final = "\t"
AT_ONCE: Final = 2000
"""Lines of one piece of text."""


class Again(NamedTuple):
    """A row whose key was there already, `differs` when it says something else than the one before."""

    row: int
    key: str
    values: Sequence[str]
    differs: bool


class Lines:
    """The rows of a table in the text format of PostgreSQL's COPY: the key's columns, then the others, as `columns` has them.

    A row is one text in memory and no more: a file of a few MiB may have hundreds of thousands.
    """

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns = tuple(columns)
        self._ends: dict[str, str] = {}
        self._rows = array("I")
        self._row_of: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._ends)

    def text(self) -> Iterator[str]:
        """All lines, in pieces of many."""
        items = iter(self._ends.items())
        while some := "".join(chain.from_iterable(islice(items, AT_ONCE))):
            yield some

    def add(
        self, rows: Iterable[int], keys: Iterable[str], values: Iterable[Sequence[str]]
    ) -> list[Again]:
        """Adds the rows whose key is new, and gives back the others."""
        again: list[Again] = []
        for row, key, some in zip(rows, keys, values, strict=False):
            end = _end(some)
            if key in self._ends:
                again.append(Again(row, key, some, self._ends[key] != end))
            else:
                self._ends[key] = end
                self._rows.append(row)
        return again

    def row(self, key: str) -> int:
        """Where the key was first."""
        if len(self._row_of) != len(self._rows):
            self._row_of = dict(zip(self._ends, self._rows, strict=True))
        return self._row_of[key]

    def values(self, key: str) -> list[str]:
        return self._ends[key][1:-1].split(SEPARATOR)

    def replace(self, key: str, values: Sequence[str]) -> None:
        self._ends[key] = _end(values)


def _end(values: Sequence[str]) -> str:
    """What follows the key in its line."""
    return f"{SEPARATOR}{SEPARATOR.join(values)}\n" if values else "\n"
