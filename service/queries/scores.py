"""Scores into the database: the one way in which stored accounts are scored."""

import time
from collections.abc import Sequence
from datetime import date
from typing import Final, NamedTuple

from psycopg2.extensions import cursor

from service import deadline
from service.queries.score_sql import SCORED

_LOCK: Final = "SELECT FROM account_health WHERE account_id = ANY(%(ids)s) ORDER BY account_id FOR NO KEY UPDATE"
"""Whoever scores an account first takes its health row, and then looks at the account: what is written is never from before what another
one has written. All take them in the order of ids, so that nobody waits crosswise."""

_LOCK_NEXT: Final = "SELECT account_id FROM account_health WHERE account_id > %(after)s ORDER BY account_id LIMIT %(limit)s FOR NO KEY UPDATE"

_COLUMNS: Final = "score, bucket, coverage, component_values, component_points, adjustments"
_FACTS: Final = "segment, region, cs_owner, industry, arr, renewal_date, seat_use, feature_x_adoption, tickets_last_30d, critical_tickets_90d"
"""What a health row repeats of its account."""
_OLD, _NEW = (
    ", ".join(f"{table}.{column}" for column in _COLUMNS.split(", ")) for table in ("old", "new")
)

_CHANGED: Final = f"""
    CREATE TEMP TABLE changed_scores ON COMMIT DROP AS
    SELECT new.*,
        (new.score, new.component_points, new.adjustments) IS DISTINCT FROM (old.score, old.component_points, old.adjustments) AS seen
    FROM ({SCORED}) new LEFT JOIN account_health old USING (account_id)
    WHERE ({_NEW}) IS DISTINCT FROM ({_OLD}) OR old.calculated_at IS NULL
"""
"""`seen`: other than by what a component is judged by."""

_KEEP_SNAPSHOTS: Final = """
    INSERT INTO health_snapshots (account_id, score, risk_label, coverage, component_values, component_points, adjustments)
    SELECT account_id, score, bucket, coverage, component_values, component_points, adjustments FROM changed_scores WHERE seen
    ORDER BY account_id
"""

_KEEP_SCORES: Final = f"""
    UPDATE account_health old SET ({_COLUMNS}, calculated_at) = ROW ({_NEW}, now())
    FROM changed_scores new WHERE new.account_id = old.account_id
"""

_ADD_SCORES: Final = f"""
    INSERT INTO account_health (account_id, {_FACTS}, {_COLUMNS}, calculated_at)
    SELECT account_id, {_FACTS}, {_COLUMNS}, now() FROM changed_scores JOIN account_facts USING (account_id)
    WHERE NOT EXISTS (SELECT FROM account_health old WHERE old.account_id = changed_scores.account_id)
    ORDER BY account_id
"""

RESERVE_SECONDS: Final = 3.0
"""Left for the commit."""
AT_ONCE: Final = 10_000
"""Accounts that are scored by one statement."""


class Recomputed(NamedTuple):
    """`changed` of the accounts that were looked at have another score or factors now; `next_cursor` is the last one, None at the end."""

    changed: int
    snapshots: int
    next_cursor: int | None


def lock(statements: cursor, account_ids: Sequence[int]) -> None:
    """For a write of several accounts, once it has locked those: before it changes them, which takes their health rows one by one."""
    statements.execute(_LOCK, {"ids": list(account_ids)})


def will_score(statements: cursor) -> None:
    """Says for the rest of the transaction that what it adds will be scored: then no row is made for a score that is not there yet."""
    statements.execute("SET LOCAL service.scores_follow = 'true'")


def rescore(statements: cursor, account_ids: Sequence[int], today: date) -> int:
    """Scores these accounts by what is stored of them, keeps a snapshot of each that changed, and tells how many that were."""
    lock(statements, account_ids)
    return _rescore_locked(statements, account_ids, today)[1]


def recompute(statements: cursor, *, after: int, limit: int, today: date) -> Recomputed:
    """Scores up to `limit` accounts whose ids come after `after`, as many as the request has time for."""
    changed = snapshots = done = 0
    while True:
        began = time.monotonic()
        statements.execute(_LOCK_NEXT, {"after": after, "limit": min(AT_ONCE, limit - done)})
        ids = [account_id for (account_id,) in statements.fetchall()]
        if not ids:
            return Recomputed(changed, snapshots, None)
        more_changed, more_snapshots = _rescore_locked(statements, ids, today)
        changed, snapshots, done, after = (
            changed + more_changed,
            snapshots + more_snapshots,
            done + len(ids),
            ids[-1],
        )
        if done >= limit or deadline.remaining() < RESERVE_SECONDS + 2 * (time.monotonic() - began):
            statements.execute(
                "SELECT EXISTS (SELECT FROM account_health WHERE account_id > %(after)s)",
                {"after": after},
            )
            (more,) = statements.fetchone() or (False,)
            return Recomputed(changed, snapshots, after if more else None)


def _rescore_locked(statements: cursor, ids: Sequence[int], today: date) -> tuple[int, int]:
    """How many accounts changed, and how many snapshots of them were kept."""
    statements.execute("DROP TABLE IF EXISTS changed_scores")
    statements.execute(_CHANGED, {"ids": list(ids), "today": today})
    changed = statements.rowcount
    if not changed:
        return 0, 0
    statements.execute(_KEEP_SNAPSHOTS)
    snapshots = statements.rowcount
    statements.execute(_KEEP_SCORES)
    if statements.rowcount < changed:
        statements.execute(_ADD_SCORES)
    return changed, snapshots
