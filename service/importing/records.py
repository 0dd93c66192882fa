"""Splits a file into records: encoding, separator declaration, delimiter, line ends, quotes."""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from itertools import islice
from typing import IO, Final

from service.importing.header import count_known
from service.importing.problems import InvalidFileError, Problem, Problems

CHUNK_RECORDS: Final = 2000
"""Records that are in memory at a time."""

DELIMITERS: Final = ",;\t|"
MAX_HEADER: Final = 2**16
"""Bytes of the file that are searched for the delimiter."""

_UTF_16: Final = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_FOREIGN: Final = {
    b"PK\x03\x04": "an Excel workbook (.xlsx)",
    b"\xd0\xcf\x11\xe0": "an Excel workbook (.xls)",
    b"%PDF": "a PDF document",
    b"\x1f\x8b": "a gzip archive",
    b"{\\rtf": "a text document (.rtf)",
}
_LINE: Final = re.compile(r"[^\r\n]*")
_DECLARATION: Final = re.compile(r'"?sep=(.)"?', re.IGNORECASE)

# A quote that is never closed makes the rest of the file one cell. Above the default limit of 128
# KiB the csv module would report the size of that cell instead of the quote. The limit is global.
csv.field_size_limit(2**31 - 1)


class Records:
    """The records of a seekable file in UTF-8, or in UTF-16 with a byte order mark.

    Lines end with LF, CRLF or CR. A first line `sep=;`, as Excel writes it, names the delimiter;
    else it is the one with which most cells of the header are names of columns. Raises
    `InvalidFileError` for another encoding, and for files that are no text. A wrong quote ends the
    records and is added to `problems`.
    """

    def __init__(self, content: IO[bytes], problems: Problems) -> None:
        self._content = content
        self._problems = problems
        self._row = 0
        self._ended = False
        content.seek(0)
        start = content.read(MAX_HEADER)
        content.seek(0)
        self._encoding = _encoding_of(start)
        self._text = io.TextIOWrapper(content, encoding=self._encoding, newline="")
        first = _LINE.match(_decoded(start, self._encoding).removeprefix("\ufeff"))
        line = first[0] if first else ""
        declared = _DECLARATION.fullmatch(line.strip())
        if declared:
            self._text.readline()
            self._row = 1
        delimiter = declared[1] if declared else _delimiter(line)
        self._reader = csv.reader(self._text, delimiter=delimiter, strict=True)

    def header(self) -> list[str]:
        """Return the first record, an empty one when there is none."""
        header = next(iter(self._take(1)), [])
        if header:
            header[0] = header[0].removeprefix("\ufeff")
        return header

    def chunks(self) -> Iterator[tuple[int, list[list[str]]]]:
        """Yield the rest in chunks, each with the row of its first record."""
        while True:
            first = self._row + 1
            records = self._take(CHUNK_RECORDS)
            if not records:
                return
            yield first, records

    def detach(self) -> None:
        """Give the file back, which would be closed with this object otherwise."""
        self._text.detach()

    def _take(self, count: int) -> list[list[str]]:
        records: list[list[str]] = []
        if self._ended:
            return records
        try:
            # extend() appends one record at a time: those before an error are in the list
            records.extend(islice(self._reader, count))
        except UnicodeDecodeError:
            raise self._undecodable() from None
        except csv.Error as error:
            self._ended = True
            self._problems.add(_quote(self._row + len(records) + 1, str(error)))
        self._row += len(records)
        return records

    def _undecodable(self) -> InvalidFileError:
        # the decoder's own error has the offset within one of its buffers
        self._content.seek(0)
        content = self._content.read()
        try:
            content.decode(self._encoding)
        except UnicodeDecodeError as error:
            return _wrong_encoding(content, error.start)
        raise AssertionError("unreachable")


def _encoding_of(start: bytes) -> str:
    """Return the encoding by the byte order mark. Raises `InvalidFileError` for what is no text."""
    for mark, encoding in _UTF_16.items():
        if start.startswith(mark) and not start.startswith(codecs.BOM_UTF32_LE):
            return encoding
    for magic, name in _FOREIGN.items():
        if start.startswith(magic):
            message = f"The file is {name}. Save it as CSV in UTF-8, and send that."
            raise InvalidFileError([Problem(1, None, "not_csv", message)], 1)
    # UTF-16 and UTF-32 without a mark encode the ASCII letters of a header with zero bytes, which
    # are valid UTF-8: the file would be read, and none of its columns recognized
    if b"\0" in start[:4]:
        raise _wrong_encoding(start, start.index(b"\0"))
    return "utf-8"


def _decoded(start: bytes, encoding: str) -> str:
    return start.decode(encoding, errors="replace")


def _wrong_encoding(content: bytes, offset: int) -> InvalidFileError:
    row = len(content[: offset + 1].splitlines())
    message = f"The file is not UTF-8, first at byte offset {offset}. Save it as CSV in UTF-8."
    return InvalidFileError([Problem(row, None, "encoding", message)], 1)


def _quote(row: int, error: str) -> Problem:
    if "end of data" in error:
        message = 'A quote (") opens in this row and is never closed. Close it, or write it twice.'
        return Problem(row, None, "unclosed_quote", message)
    message = (
        'Text follows the quote (") that closes a cell. Put the whole cell into quotes, '
        "and write a quote inside of it twice."
    )
    return Problem(row, None, "misplaced_quote", message)


def _delimiter(line: str) -> str:
    def known(delimiter: str) -> int:
        return count_known(next(csv.reader([line], delimiter=delimiter), []))

    return max(DELIMITERS, key=known)
