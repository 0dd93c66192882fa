"""The work that the passage of time makes: scores of a new day, and what is old enough to go.

Each step is one transaction, bounded and harmless when it is repeated. The row of `upkeep` says how
far the steps have come, so that an upkeep can end at any time, and another goes on from there.
"""

import time
from collections.abc import Callable
from datetime import date, timedelta, tzinfo
from functools import partial
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from psycopg2.extensions import cursor

from service.clock import midnight, today
from service.queries import idempotency, movers, rollups
from service.queries.scores import rescore_by_time

T = TypeVar("T")

AT_ONCE: Final = 2_000
"""Accounts that one transaction scores. It locks their rows for about 0.1 s."""
BATCH: Final = 10_000
"""Accounts whose history one transaction thins."""

KEPT_DAYS: Final = 7
"""For how many days all snapshots are kept; of a day before, the last of each account."""
DAILY_DAYS: Final = 400
"""For how many days those are kept; of a week before, the last of each account."""

# A transaction that waits for one account has locked others already, for which writers wait.
_TAKE: Final = f"""
    SET LOCAL lock_timeout = '1s';
    SELECT pg_try_advisory_xact_lock({0x61_73_75})
"""

_PROGRESS: Final = "SELECT scores_as_of, day, after_arr, after_id FROM upkeep"
_NEXT: Final = "SELECT arr, id FROM accounts {after} ORDER BY arr DESC, id DESC LIMIT %(limit)s"
_AFTER: Final = "WHERE (arr, id) < (%(arr)s, %(id)s)"
# Before the first account is scored, because a score is of the next day where `day` is that.
_BEGIN: Final = "UPDATE upkeep SET day = %(today)s, after_arr = NULL, after_id = NULL"
_ADVANCE: Final = """
    UPDATE upkeep SET after_arr = %(arr)s, after_id = %(id)s,
        scores_as_of = CASE WHEN %(complete)s THEN day ELSE scores_as_of END
"""

_OLDEST: Final = """
    SELECT min(calculated_at) FROM health_snapshots
    WHERE calculated_at >= %(begin)s AND calculated_at < %(end)s
"""
_THIN: Final = """
    WITH several AS (
        SELECT account_id FROM health_snapshots
        WHERE calculated_at >= %(begin)s AND calculated_at < %(end)s
        GROUP BY account_id HAVING count(*) > 1 LIMIT %(limit)s
    ),
    periods AS (
        SELECT array_agg(id ORDER BY calculated_at DESC, id DESC) AS newest_first,
            (array_agg(score_before ORDER BY calculated_at, id)
                FILTER (WHERE score_before IS NOT NULL))[1] AS score_before
        FROM health_snapshots JOIN several USING (account_id)
        WHERE calculated_at >= %(begin)s AND calculated_at < %(end)s
        GROUP BY account_id
    ),
    kept AS (
        UPDATE health_snapshots kept SET score_before = periods.score_before
        FROM periods WHERE kept.id = newest_first[1]
    ),
    deleted AS (
        DELETE FROM health_snapshots
        WHERE id IN (SELECT unnest(newest_first[2:]) FROM periods) RETURNING 1
    )
    SELECT (SELECT count(*) FROM several), (SELECT count(*) FROM deleted)
"""
"""Keeps the last snapshot of each account in a period. It takes over `score_before` of the first,
so that the score in force at the beginning of the period stays known."""
_THINNED: Final = "UPDATE upkeep SET {column} = %(until)s"


class Slice(NamedTuple):
    """What one transaction scored. `complete`: now all scores are of the day."""

    accounts: int = 0
    changed: int = 0
    snapshots: int = 0
    complete: bool = False


class Upkeep(NamedTuple):
    """What an upkeep did.

    day: the day of the scores; they are complete if `scored`. finished: nothing is left to do.
    changed: accounts with another score, other factors or another coverage. thinned: snapshots
    that were deleted. forgotten: records that were deleted.
    """

    day: date
    accounts: int = 0
    changed: int = 0
    snapshots: int = 0
    thinned: int = 0
    forgotten: int = 0
    scored: bool = False
    finished: bool = False


class Write(Protocol):
    """`Database.write`, or the same with retries."""

    def __call__(self, work: Callable[[cursor], T], /) -> T: ...


def run(write: Write, zone: tzinfo, *, ends: float, wait: float | None) -> Upkeep:
    """Do what is due, the scores first, until nothing is left or the monotonic clock is at `ends`.

    wait: seconds after which to try again while another session does it; None: do not wait.
    """
    done = Upkeep(today(zone))
    while not done.scored:
        day = today(zone)
        scored = write(partial(score_slice, today=day))
        if scored is not None:
            done = done._replace(
                day=day,
                accounts=done.accounts + scored.accounts,
                changed=done.changed + scored.changed,
                snapshots=done.snapshots + scored.snapshots,
                scored=scored.complete,
            )
        elif wait is None:
            return done
        else:
            time.sleep(wait)
        if time.monotonic() >= ends:
            return done
    for field, step in (
        ("thinned", partial(thin_history, today=done.day, zone=zone)),
        ("forgotten", partial(forget, today=done.day)),
    ):
        while (count := write(step)) is not None:
            done = done._replace(**{field: getattr(done, field) + count})
            if time.monotonic() >= ends:
                return done
    return done._replace(finished=True)


def summary(done: Upkeep) -> dict[str, Any]:
    """Return what an upkeep did, for a log."""
    return {**done._asdict(), "day": done.day.isoformat()}


def score_slice(statements: cursor, *, today: date) -> Slice | None:
    """Score the next accounts as of today, those of the largest ARR first.

    Returns None while another session does.
    """
    if not _take(statements):
        return None
    statements.execute(_PROGRESS)
    scores_as_of, day, arr, account_id = statements.fetchall()[0]
    if scores_as_of == day == today:
        return Slice(complete=True)
    if day != today:
        statements.execute(_BEGIN, {"today": today})
        account_id = None
    after = "" if account_id is None else _AFTER
    values = {"arr": arr, "id": account_id, "limit": AT_ONCE}
    statements.execute(_NEXT.format(after=after), values)
    rows = statements.fetchall()
    changed, snapshots = rescore_by_time(statements, sorted(row[1] for row in rows), today)
    rollups.compact(statements)
    complete = len(rows) < AT_ONCE
    arr, account_id = (None, None) if complete else rows[-1]
    statements.execute(_ADVANCE, {"arr": arr, "id": account_id, "complete": complete})
    return Slice(len(rows), changed, snapshots, complete)


def thin_history(statements: cursor, *, today: date, zone: tzinfo) -> int | None:
    """Thin the next day, or else the next week, that has become old enough since the last time.

    Returns the number of snapshots deleted; None when nothing is left, or another session does it.
    """
    if not _take(statements):
        return None
    daily = today - timedelta(days=KEPT_DAYS)
    weekly = today - timedelta(days=DAILY_DAYS)
    for column, days, limit in (
        ("thinned_days_until", 1, daily),
        ("thinned_weeks_until", 7, weekly - timedelta(days=weekly.weekday())),
    ):
        statements.execute(f"SELECT {column} FROM upkeep")
        ((begin,),) = statements.fetchall()
        statements.execute(_OLDEST, _times(begin, limit, zone))
        ((oldest,),) = statements.fetchall()
        if oldest is None:
            continue
        begin = oldest.astimezone(zone).date()
        begin -= timedelta(days=begin.weekday() if days > 1 else 0)
        until = begin + timedelta(days=days)
        statements.execute(_THIN, {**_times(begin, until, zone), "limit": BATCH})
        ((accounts, deleted),) = statements.fetchall()
        if accounts < BATCH:
            statements.execute(_THINNED.format(column=column), {"until": until})
        return deleted
    return None


def forget(statements: cursor, *, today: date) -> int | None:
    """Delete some records that are no longer used. Returns how many, None for none."""
    from service.queries import undo  # only here: it imports the table of columns

    movers.forget(statements, today)
    return (
        idempotency.delete_expired(statements, limit=BATCH) + undo.delete_expired(statements)
        or None
    )


def _take(statements: cursor) -> bool:
    """Return whether this transaction is now the only one that does upkeep."""
    statements.execute(_TAKE)
    ((taken,),) = statements.fetchall()
    return taken


def _times(begin: date, end: date, zone: tzinfo) -> dict[str, Any]:
    return {"begin": midnight(begin, zone), "end": midnight(end, zone)}
