"""What can be wrong with a file: where, by a code for programs, and in a sentence that says what is expected. Never with the value."""

from bisect import insort
from collections.abc import Iterable
from operator import attrgetter
from typing import Final, NamedTuple

MAX_LISTED: Final = 100


class Problem(NamedTuple):
    """`row` counts the file's records from 1, which is the header's. `column` is the interface's name, None when it is the whole row."""

    row: int
    column: str | None
    code: str
    message: str


class InvalidFileError(Exception):
    """`problems` in the order of the rows, at most `MAX_LISTED`, of `total`."""

    def __init__(self, problems: Iterable[Problem], total: int) -> None:
        self.problems = tuple(problems)
        self.total = total
        super().__init__(f"{total} problems")


class Problems:
    """Collects them, and keeps no more than are listed."""

    def __init__(self) -> None:
        self._kept: list[Problem] = []
        self.total = 0

    def add(self, problem: Problem) -> None:
        """In any order of rows."""
        self.total += 1
        if len(self._kept) < MAX_LISTED or problem.row < self._kept[-1].row:
            insort(self._kept, problem, key=attrgetter("row"))
            del self._kept[MAX_LISTED:]

    def check(self) -> None:
        """Raises `InvalidFileError` when there are any."""
        if self.total:
            raise InvalidFileError(self._kept, self.total)
