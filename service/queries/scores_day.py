"""Reads the day that all scores are of; apart from what brings them to another day."""

from datetime import date
from typing import Final

from service.database.connection import Database

_DAY: Final = """
    SELECT scores_as_of, (SELECT coalesce(sum(accounts), 0)::bigint FROM portfolio_cells)
    FROM upkeep
"""


def scores_day(database: Database) -> tuple[date, int]:
    """Return the day that all scores are of, and the number of accounts."""
    scores_as_of, accounts = database.read(_DAY, {})[0]
    return scores_as_of, accounts
