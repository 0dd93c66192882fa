"""A CSV file of accounts and their days: all that it says, or all that is wrong with it."""

from typing import IO, NamedTuple

from service.importing.header import read_header
from service.importing.lines import Lines
from service.importing.problems import Problem, Problems
from service.importing.records import Records
from service.importing.rows import Rows


class File(NamedTuple):
    """Accounts by `name`, and their days by `name` and `date` (none without that column).

    What is not among the columns of a table is left as it is where there is a row already, and has its default in a new one. What is among
    them is what the cell says; a blank cell says that it is unknown.
    """

    accounts: Lines
    days: Lines


def read_file(content: IO[bytes]) -> File:
    """Reads all of a seekable file, a part at a time. Raises `InvalidFileError`, and nothing else, whatever its bytes are.

    Rows whose cells are all blank are passed over, but counted.
    """
    problems = Problems()
    records = Records(content, problems)
    header = records.header()
    problems.check()
    rows = Rows(read_header(header), problems)
    for first, some in records.chunks():
        rows.take(first, some)
    rows.finish()
    if not rows.accounts and not problems.total:
        problems.add(
            Problem(
                2,
                None,
                "no_rows",
                "The file has a header and no rows: each row below it has to be an account.",
            )
        )
    problems.check()
    return File(rows.accounts, rows.days)
