"""Reads CSV files of accounts: from bytes to valid rows, or to all problems of the file.

Knows neither HTTP nor the database.
"""

from service.importing.copy_buffer import CopyBuffer
from service.importing.file import File, Options, read_file
from service.importing.formulas import protected, unprotected
from service.importing.problems import InvalidFileError, Problem

__all__ = [
    "CopyBuffer",
    "File",
    "InvalidFileError",
    "Options",
    "Problem",
    "protected",
    "read_file",
    "unprotected",
]
