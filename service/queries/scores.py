"""Scores stored accounts and stores their scores. Every write of a score goes through here."""

import time
from collections.abc import Sequence
from datetime import date
from typing import Final, NamedTuple

from psycopg2.extensions import cursor

from service import deadline
from service.queries.score_sql import SCORED
from service.scoring import rules

# Two writes of one account at a time, say of its columns and of its daily rows, must not both score
# it by what they see: the later commit would store a score without the other's data. So each locks
# the health row first, and only then reads the account, in a statement of its own that sees what
# was committed meanwhile. All lock rows in the order of ids, so that there is no deadlock.
_LOCK: Final = """
    SELECT FROM account_health WHERE account_id = ANY(%(ids)s)
    ORDER BY account_id FOR NO KEY UPDATE
"""
_LOCK_NEXT: Final = """
    SELECT account_id FROM account_health WHERE account_id > %(after)s
    ORDER BY account_id LIMIT %(limit)s FOR NO KEY UPDATE
"""

_SCORE_COLUMNS: Final = (
    "score", "bucket", "coverage", "component_values", "component_points", "adjustments",
)  # fmt: skip
_SCORE: Final = ", ".join(_SCORE_COLUMNS)
_OLD: Final = ", ".join(f"old.{column}" for column in _SCORE_COLUMNS)
_NEW: Final = ", ".join(f"new.{column}" for column in _SCORE_COLUMNS)

_ACCOUNT_COLUMNS: Final = """
    segment, region, cs_owner, industry, arr, renewal_date, seat_use, feature_x_adoption,
    tickets_last_30d, critical_tickets_90d
"""
"""The columns of a health row that repeat the account's; the view `account_facts` has them."""

DRIFT: Final = 2
"""Points by which the passage of time alone moves a score before there is a snapshot of it."""

_SNAPSHOT_BUCKET: Final = " ".join(
    f"WHEN old.snapshot_score >= {lowest} THEN '{name}'" for name, lowest in rules.BUCKETS
)

# Component values can change without the points, beyond the best or the worst value: an account
# with 40 tickets earns as little as one with 30. Then the stored score is updated, but a snapshot
# would show nothing new (`needs_snapshot`). Time changes most accounts a little each day, which is
# not worth a snapshot either. `calculated_at` is null before the first scoring.
_CHANGED: Final = f"""
    CREATE TEMP TABLE changed_scores ON COMMIT DROP AS
    SELECT new.*, old.snapshot_score, old.calculated_at IS NULL OR CASE WHEN %(by_time)s
        THEN new.bucket IS DISTINCT FROM CASE {_SNAPSHOT_BUCKET} END
            OR abs(new.score - old.snapshot_score) >= {DRIFT}
        ELSE (new.score, new.component_points, new.adjustments)
            IS DISTINCT FROM (old.score, old.component_points, old.adjustments)
        END AS needs_snapshot
    FROM ({SCORED}) new LEFT JOIN account_health old USING (account_id)
    WHERE ({_NEW}) IS DISTINCT FROM ({_OLD}) OR old.calculated_at IS NULL
"""

_INSERT_SNAPSHOTS: Final = """
    INSERT INTO health_snapshots (
        calculated_at, account_id, score, risk_label, coverage, component_values,
        component_points, adjustments, score_before
    )
    SELECT now(), account_id, score, bucket, coverage, component_values, component_points,
        adjustments, coalesce(snapshot_score, score)
    FROM changed_scores WHERE needs_snapshot
    ORDER BY account_id
"""

_UPDATE_SCORES: Final = f"""
    UPDATE account_health old SET ({_SCORE}, calculated_at, snapshot_score)
        = ROW ({_NEW}, now(), CASE WHEN needs_snapshot THEN new.score ELSE new.snapshot_score END)
    FROM changed_scores new WHERE new.account_id = old.account_id
"""

_INSERT_SCORES: Final = f"""
    INSERT INTO account_health (
        account_id, {_ACCOUNT_COLUMNS}, {_SCORE}, calculated_at, snapshot_score
    )
    SELECT account_id, {_ACCOUNT_COLUMNS}, {_SCORE}, now(), score
    FROM changed_scores JOIN account_facts USING (account_id)
    WHERE NOT EXISTS (
        SELECT FROM account_health old WHERE old.account_id = changed_scores.account_id
    )
    ORDER BY account_id
"""

RESERVE_SECONDS: Final = 3.0
"""Time of the request that `recompute` leaves for the commit."""
AT_ONCE: Final = 10_000
"""Accounts that one statement scores."""


class Recomputed(NamedTuple):
    """The result of `recompute`.

    `changed` accounts have another score or other factors than before. `next_cursor` is the last
    account that was scored, None at the end.
    """

    changed: int
    snapshots: int
    next_cursor: int | None


def lock(statements: cursor, account_ids: Sequence[int]) -> None:
    """Lock the health rows of accounts that are locked already, before a write changes several.

    Without it, the triggers would lock these rows one by one, in the order of the changes.
    """
    statements.execute(_LOCK, {"ids": list(account_ids)})


def will_score(statements: cursor) -> None:
    """Declare that this transaction scores the accounts that it inserts.

    Then the trigger on accounts inserts no health row without a score, which `rescore` would have
    to update at once: `rescore` inserts the whole row.
    """
    statements.execute("SET LOCAL service.scores_follow = 'true'")


def rescore(statements: cursor, account_ids: Sequence[int], today: date) -> int:
    """Score these accounts, and store a snapshot of each that changed.

    Returns the number of snapshots.
    """
    lock(statements, account_ids)
    return _rescore_locked(statements, account_ids, today)[1]


def rescore_by_time(statements: cursor, account_ids: Sequence[int], today: date) -> tuple[int, int]:
    """Score these accounts as of a later day, and store a snapshot of each that changed much.

    Returns how many accounts changed, and how many snapshots were stored.
    """
    lock(statements, account_ids)
    return _rescore_locked(statements, account_ids, today, by_time=True)


def recompute(statements: cursor, *, after: int, limit: int, today: date) -> Recomputed:
    """Score up to `limit` accounts with ids above `after`, as many as the request has time for."""
    changed = snapshots = done = 0
    while True:
        began = time.monotonic()
        statements.execute(_LOCK_NEXT, {"after": after, "limit": min(AT_ONCE, limit - done)})
        ids = [account_id for (account_id,) in statements.fetchall()]
        if not ids:
            return Recomputed(changed, snapshots, None)
        more_changed, more_snapshots = _rescore_locked(statements, ids, today, by_time=True)
        changed += more_changed
        snapshots += more_snapshots
        done += len(ids)
        after = ids[-1]
        # the next turn is expected to take as long as this one, at most twice that
        needed = RESERVE_SECONDS + 2 * (time.monotonic() - began)
        if done >= limit or deadline.remaining() < needed:
            statements.execute(
                "SELECT EXISTS (SELECT FROM account_health WHERE account_id > %(after)s)",
                {"after": after},
            )
            (more,) = statements.fetchone() or (False,)
            return Recomputed(changed, snapshots, after if more else None)


def _rescore_locked(
    statements: cursor, ids: Sequence[int], today: date, *, by_time: bool = False
) -> tuple[int, int]:
    """Returns how many accounts changed, and how many snapshots were stored.

    by_time: the accounts have not been written, so that only time can have changed their scores.
    """
    statements.execute("DROP TABLE IF EXISTS changed_scores")
    statements.execute(_CHANGED, {"ids": list(ids), "today": today, "by_time": by_time})
    changed = statements.rowcount
    if not changed:
        return 0, 0
    statements.execute(_INSERT_SNAPSHOTS)
    snapshots = statements.rowcount
    statements.execute(_UPDATE_SCORES)
    if statements.rowcount < changed:
        statements.execute(_INSERT_SCORES)
    return changed, snapshots
