"""Reads a CSV file of accounts and their days."""

from typing import IO, NamedTuple

from service.importing.copy_buffer import CopyBuffer
from service.importing.header import read_header
from service.importing.problems import Problem, Problems
from service.importing.records import Records
from service.importing.rows import Rows


class File(NamedTuple):
    """Accounts by `name`, and their days by `name` and `date` (none without the column `date`).

    A blank cell is an unknown value, which is stored as such. A column that the file does not have
    keeps its values in existing rows, and gets its default in new ones.
    """

    accounts: CopyBuffer
    days: CopyBuffer


def read_file(content: IO[bytes]) -> File:
    """Read a seekable file, a part at a time.

    Raises `InvalidFileError`, and nothing else, whatever its bytes are. Rows whose cells are all
    blank are skipped, but counted.
    """
    problems = Problems()
    records = Records(content, problems)
    header = records.header()
    problems.check()
    rows = Rows(read_header(header), problems)
    for first, chunk in records.chunks():
        rows.add(first, chunk)
    rows.finish()
    if not rows.accounts and not problems.total:
        message = "The file has a header and no rows: each row below it has to be an account."
        problems.add(Problem(2, None, "no_rows", message))
    problems.check()
    return File(rows.accounts, rows.days)
