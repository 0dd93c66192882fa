"""Collects the problems of a file: row, column, a code, and a sentence that says what is expected.

A problem never holds the value of a cell.
"""

from bisect import insort
from collections.abc import Iterable
from operator import attrgetter
from typing import Final, NamedTuple

MAX_LISTED: Final = 100


class Problem(NamedTuple):
    """`row` counts the records from 1, which is the header. `column` is None for a whole row."""

    row: int
    column: str | None
    code: str
    message: str


class InvalidFileError(Exception):
    """`problems` in the order of the rows, at most `MAX_LISTED` of `total`."""

    def __init__(self, problems: Iterable[Problem], total: int) -> None:
        self.problems = tuple(problems)
        self.total = total
        super().__init__(f"{total} problems")


class Problems:
    """Collects problems; keeps no more than are listed, and counts all."""

    def __init__(self) -> None:
        self._listed: list[Problem] = []
        self.total = 0

    def add(self, problem: Problem) -> None:
        """Add one, in any order of rows."""
        self.total += 1
        if len(self._listed) < MAX_LISTED or problem.row < self._listed[-1].row:
            insort(self._listed, problem, key=attrgetter("row"))
            del self._listed[MAX_LISTED:]

    def check(self) -> None:
        """Raise `InvalidFileError` when there are any."""
        if self.total:
            raise InvalidFileError(self._listed, self.total)
