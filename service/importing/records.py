"""From bytes to records: the encoding, the delimiter, the ends of lines, the quotes."""

import csv
import io
import re
from collections.abc import Iterator
from itertools import islice
from typing import IO, Final

from service.importing.header import known
from service.importing.problems import InvalidFileError, Problem, Problems

AT_ONCE: Final = 2000
"""Records that are in memory at one time."""

DELIMITERS: Final = ",;\t"
MAX_HEADER: Final = 2**16
"""Bytes of the first line that are looked at for the delimiter."""

_BOM: Final = b"\xef\xbb\xbf"
_LINE: Final = re.compile(rb"[^\r\n]*")

csv.field_size_limit(
    2**31 - 1
)  # a quote that is never closed is told as that, however much it swallows


class Records:
    """The records of a file in UTF-8, with or without a byte order mark, whose lines end with LF, CRLF or CR.

    The delimiter is the one that makes the most of the header's names. Raises `InvalidFileError` for another encoding, as soon as it is
    met. Quotes that do not fit end the records: that is added to `problems`.
    """

    def __init__(self, content: IO[bytes], problems: Problems) -> None:
        self._content = content
        self._problems = problems
        self._row = 0
        self._over = False
        start = content.read(MAX_HEADER)
        content.seek(0)
        if b"\0" in start[:4]:  # no name of a column has one: it is UTF-16 or UTF-32
            raise _encoding(start, start.index(b"\0"))
        self._text = io.TextIOWrapper(content, encoding="utf-8-sig", newline="")
        self._reader = csv.reader(self._text, delimiter=_delimiter(start), strict=True)

    def header(self) -> list[str]:
        """The first record, an empty one when there is none."""
        return next(iter(self._take(1)), [])

    def chunks(self) -> Iterator[tuple[int, list[list[str]]]]:
        """What is left, at most `AT_ONCE` records at a time, with the row of the first of them."""
        while True:
            first = self._row + 1
            records = self._take(AT_ONCE)
            if not records:
                return
            yield first, records

    def _take(self, count: int) -> list[list[str]]:
        records: list[list[str]] = []
        if self._over:
            return records
        try:
            records.extend(islice(self._reader, count))
        except UnicodeDecodeError:
            raise self._undecodable() from None
        except csv.Error as error:
            self._over = True
            self._problems.add(_quote(self._row + len(records) + 1, str(error)))
        self._row += len(records)
        return records

    def _undecodable(self) -> InvalidFileError:
        self._content.seek(0)
        content = self._content.read()
        try:
            content.decode()
        except UnicodeDecodeError as error:
            return _encoding(content, error.start)
        raise AssertionError("unreachable")


def _encoding(content: bytes, offset: int) -> InvalidFileError:
    """With the row as far as ends of lines tell it."""
    row = len(content[: offset + 1].splitlines())
    message = f"The file is not UTF-8, first at byte offset {offset}. Save it as CSV in UTF-8."
    return InvalidFileError([Problem(row, None, "encoding", message)], 1)


def _quote(row: int, error: str) -> Problem:
    if "end of data" in error:
        return Problem(
            row,
            None,
            "unclosed_quote",
            'A quote (") opens in this row and is never closed. Close it, or write it twice.',
        )
    message = 'After the quote (") that closes a cell comes more text. Put the whole cell into quotes, and write a quote inside of it twice.'
    return Problem(row, None, "misplaced_quote", message)


def _delimiter(start: bytes) -> str:
    line = _LINE.match(start.removeprefix(_BOM))
    text = line[0].decode(errors="replace") if line else ""
    return max(
        DELIMITERS, key=lambda delimiter: known(next(csv.reader([text], delimiter=delimiter), []))
    )
