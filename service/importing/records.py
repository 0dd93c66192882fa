"""Reads the records of a CSV file: the encoding, the delimiter, the line ends and the quotes."""

import csv
import io
import re
from collections.abc import Iterator
from itertools import islice
from typing import IO, Final

from service.importing.header import known
from service.importing.problems import InvalidFileError, Problem, Problems

AT_ONCE: Final = 2000
"""Records that are in memory at a time."""

DELIMITERS: Final = ",;\t"
MAX_HEADER: Final = 2**16
"""Bytes of the first line that are searched for the delimiter."""

_BOM: Final = b"\xef\xbb\xbf"
_LINE: Final = re.compile(rb"[^\r\n]*")

# A quote that is never closed makes the rest of the file one cell. Above the default limit of 128
# KiB the csv module would report the size of that cell instead of the quote. The limit is global.
csv.field_size_limit(2**31 - 1)


class Records:
    """The records of a file in UTF-8, with or without a byte order mark.

    Lines end with LF, CRLF or CR. The delimiter is the one with which most cells of the header are
    names of columns. Another encoding raises `InvalidFileError` as soon as it is found; a wrong
    quote is added to `problems` and ends the records.
    """

    def __init__(self, content: IO[bytes], problems: Problems) -> None:
        self._content = content
        self._problems = problems
        self._row = 0
        self._ended = False
        start = content.read(MAX_HEADER)
        content.seek(0)
        # UTF-16 and UTF-32 encode the ASCII letters of a header with zero bytes, which are valid
        # UTF-8: without this check the file would be read, and its columns reported as unknown.
        if b"\0" in start[:4]:
            raise _encoding(start, start.index(b"\0"))
        self._text = io.TextIOWrapper(content, encoding="utf-8-sig", newline="")
        self._reader = csv.reader(self._text, delimiter=_delimiter(start), strict=True)

    def header(self) -> list[str]:
        """Return the first record, an empty one when there is none."""
        return next(iter(self._read(1)), [])

    def chunks(self) -> Iterator[tuple[int, list[list[str]]]]:
        """Yield the other records, up to `AT_ONCE` at a time, with the row of the first of them."""
        while True:
            first = self._row + 1
            records = self._read(AT_ONCE)
            if not records:
                return
            yield first, records

    def _read(self, count: int) -> list[list[str]]:
        records: list[list[str]] = []
        if self._ended:
            return records
        try:
            # extend() appends one record at a time, so that those before an error are in the list
            records.extend(islice(self._reader, count))
        except UnicodeDecodeError:
            raise self._undecodable() from None
        except csv.Error as error:
            self._ended = True
            self._problems.add(_quote(self._row + len(records) + 1, str(error)))
        self._row += len(records)
        return records

    def _undecodable(self) -> InvalidFileError:
        # The decoder works on buffers, and its error has the offset within one of them. Decoding
        # the file as a whole gives the offset in the file.
        self._content.seek(0)
        content = self._content.read()
        try:
            content.decode()
        except UnicodeDecodeError as error:
            return _encoding(content, error.start)
        raise AssertionError("unreachable")


def _encoding(content: bytes, offset: int) -> InvalidFileError:
    """The row is that of the line, which is too high after a cell with line breaks."""
    row = len(content[: offset + 1].splitlines())
    message = f"The file is not UTF-8, first at byte offset {offset}. Save it as CSV in UTF-8."
    return InvalidFileError([Problem(row, None, "encoding", message)], 1)


def _quote(row: int, error: str) -> Problem:
    if "end of data" in error:
        message = 'A quote (") opens in this row and is never closed. Close it, or write it twice.'
        return Problem(row, None, "unclosed_quote", message)
    message = (
        'Text follows the quote (") that closes a cell. Put the whole cell into quotes, and write'
        " a quote inside of it twice."
    )
    return Problem(row, None, "misplaced_quote", message)


def _delimiter(start: bytes) -> str:
    line = _LINE.match(start.removeprefix(_BOM))
    text = line[0].decode(errors="replace") if line else ""
    return max(
        DELIMITERS, key=lambda delimiter: known(next(csv.reader([text], delimiter=delimiter), []))
    )
