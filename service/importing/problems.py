"""The problems of a file. They never hold a value of it."""

from bisect import insort
from collections.abc import Iterable
from operator import attrgetter
from typing import Final, NamedTuple

MAX_LISTED: Final = 100


class Problem(NamedTuple):
    """`row` counts records from 1, the header. `column` is None when the whole row is meant.

    `code` is for programs; `message` says what is expected.
    """

    row: int
    column: str | None
    code: str
    message: str


class InvalidFileError(Exception):
    """`problems` are the first `MAX_LISTED` of `total`, sorted by row."""

    def __init__(self, problems: Iterable[Problem], total: int) -> None:
        self.problems = tuple(problems)
        self.total = total
        super().__init__(f"{total} problems")


class Problems:
    """Collects problems, in any order of rows; stores the first `MAX_LISTED` and counts all."""

    def __init__(self) -> None:
        self._first: list[Problem] = []
        self.total = 0

    def add(self, problem: Problem) -> None:
        self.total += 1
        if len(self._first) < MAX_LISTED or problem.row < self._first[-1].row:
            insort(self._first, problem, key=attrgetter("row"))
            del self._first[MAX_LISTED:]

    def check(self) -> None:
        """Raises `InvalidFileError` when there are any."""
        if self.total:
            raise InvalidFileError(self._first, self.total)
