"""Compacts the rollup tables.

Triggers append one delta row per write and key (ADR 12); readers sum the deltas, and a write that
finds more than `MAX_DELTAS` of them compacts them.
"""

from typing import Final

from psycopg2.extensions import cursor

MAX_DELTAS: Final = 2000
"""Delta rows of one rollup table that reads can sum without getting noticeably slower."""


def compact(statements: cursor) -> None:
    """Compact the rollups at the end of a write.

    Does nothing while there are few deltas, or while another session compacts them.
    """
    statements.execute("SELECT compact_rollups(%(deltas)s)", {"deltas": MAX_DELTAS})
