"""CSV files of accounts: from bytes to rows that are right, or to all that is wrong with them. Knows neither HTTP nor the database."""

from service.importing.file import File, read_file
from service.importing.formulas import protected, unprotected
from service.importing.lines import Lines
from service.importing.problems import InvalidFileError, Problem

__all__ = ["File", "InvalidFileError", "Lines", "Problem", "protected", "read_file", "unprotected"]
