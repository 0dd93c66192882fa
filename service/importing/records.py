"""From bytes to records: the encoding, the delimiter, the ends of lines, the quotes."""

import csv
import io
import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

from service.importing.header import known
from service.importing.problems import InvalidFileError, Problem, Problems

AT_ONCE: Final = 2000
"""Records that are in memory at one time."""

DELIMITERS: Final = ",;\t"
MAX_HEADER: Final = 2**16
"""Bytes of the first line that are looked at for the delimiter."""

_BOM: Final = b"\xef\xbb\xbf"
_LINE: Final = re.compile(rb"[^\r\n]*")

csv.field_size_limit(2**31 - 1)  # a quote that is never closed is told as that, however much it swallows


class Records:
    """The records of a file in UTF-8, with or without a byte order mark, whose lines end with LF, CRLF or CR.

    The delimiter is the one that makes the most of the header's names. Raises `InvalidFileError` for another encoding, as soon as it is
    met. Quotes that do not fit end the records: that is added to `problems`.
    """

    def __init__(self, content: bytes, problems: Problems) -> None:
        self._content = content
        self._problems = problems
        self._row = 0
        self._over = False
        if b"\0" in content[:4]:  # no name of a column has one: it is UTF-16 or UTF-32
            raise self._encoding(content.index(b"\0"))
        text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline="")
        self._reader = csv.reader(text, delimiter=_delimiter(content), strict=True)

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
            raise self._encoding() from None
        except csv.Error as error:
            self._over = True
            self._problems.add(_quote(self._row + len(records) + 1, str(error)))
        self._row += len(records)
        return records

    def _encoding(self, offset: int | None = None) -> InvalidFileError:
        """With the row as far as lines tell, and the first byte that is none of UTF-8."""
        if offset is None:
            try:
                self._content.decode()
                raise AssertionError("unreachable")
            except UnicodeDecodeError as error:
                offset = error.start
        row = max(1, len(self._content[: offset + 1].splitlines()))
        message = f"The file is not UTF-8, first at byte offset {offset}. Save it as CSV in UTF-8."
        return InvalidFileError([Problem(row, None, "encoding", message)], 1)


def _quote(row: int, error: str) -> Problem:
    if "end of data" in error:
        return Problem(row, None, "unclosed_quote", 'A quote (") opens in this row and is never closed. Close it, or write it twice.')
    message = (
        'After the quote (") that closes a cell comes more text. Put the whole cell into quotes, and write a quote inside of it twice.'
    )
    return Problem(row, None, "misplaced_quote", message)


def _delimiter(content: bytes) -> str:
    line = _LINE.match(content, len(_BOM) if content.startswith(_BOM) else 0, MAX_HEADER)
    text = line[0].decode(errors="replace") if line else ""
    return max(DELIMITERS, key=lambda delimiter: known(next(csv.reader([text], delimiter=delimiter), [])))
