"""The database keeps sums of the accounts by triggers, which only append; from time to time what was appended is summed."""

from typing import Final

from psycopg2.extensions import cursor

DELTAS: Final = 2000
"""Appended rows of one rollup up to which readers sum them in passing."""


def compact(statements: cursor) -> None:
    """At the end of a write. Does nothing while there is little to sum, or while another one does it."""
    statements.execute("SELECT compact_rollups(%(deltas)s)", {"deltas": DELTAS})
