"""Finds the accounts whose score rose and fell the most. Computed once per state of the data."""

from datetime import date, timedelta, tzinfo
from typing import Any, Final

from psycopg2.extensions import cursor

from service.clock import iso_utc, midnight
from service.database.connection import Database, Row
from service.queries.numbers import money, rounded_score_sql

MOST: Final = 50
"""Movers that are stored of each direction, the largest number that a request can ask for."""
SPARE: Final = 10
"""Candidates of each direction beyond `MOST`, because candidates have rounded scores."""

_VERSION: Final = """
    SELECT concat_ws(':', coalesce(max(id), 0), count(*), %(since_ms)s::text) FROM portfolio_cells
"""
"""Identifies the window and the state of the scores: each change of one appends a row, and
compacting the rollup inserts rows with higher ids."""

# The score in force at the beginning of the window is `score_before` of an account's earliest
# snapshot in the window. DISTINCT ON and window functions sort all snapshots to find that; min()
# over a bigint needs no sort. So time and score are packed into one number that orders by time:
#
#     bit 63 ......... 28 | 27 ............... 0
#     ms since the window | score in steps of 1 / _STEPS
#
# 100 points take 100 * 2**21 = 209,715,200 steps, which is less than 2**28 = 268,435,456; a window
# of 366 days takes 35 bits. PostgreSQL's `-` binds tighter than `<<` and `|`, which have the same
# precedence and associate to the left, so that the expression needs no more parentheses.
#
# An account without a snapshot in the window had the score of its newest one all the time; it can
# have moved since by what `scores.DRIFT` allows.
_SCORE_BITS: Final = 28
_SCORE_MASK: Final = 2**_SCORE_BITS - 1
_STEPS: Final = 2**21

_CANDIDATES: Final = f"""
    WITH earliest AS (
        SELECT account_id, min(
            (date_part('epoch', calculated_at) * 1000)::bigint - %(since_ms)s << {_SCORE_BITS}
            | (score_before * {_STEPS})::bigint
        ) AS packed
        FROM health_snapshots
        WHERE calculated_at > %(since)s AND score_before IS NOT NULL GROUP BY account_id
    ),
    moved AS MATERIALIZED (
        SELECT account_id, h.score AS now, h.score - coalesce(
            (packed & {_SCORE_MASK})::double precision / {_STEPS}, snapshot_score
        ) AS change
        FROM account_health h LEFT JOIN earliest USING (account_id) WHERE h.score IS NOT NULL
    ),
    candidates AS (
        (SELECT account_id, now FROM moved ORDER BY change LIMIT {MOST + SPARE})
        UNION (
            SELECT account_id, now FROM moved ORDER BY change DESC NULLS LAST
            LIMIT {MOST + SPARE}
        )
    )"""
"""The accounts that moved the most, by scores in steps of half a millionth."""

_COMPUTE: Final = f"""
    {_CANDIDATES},
    moves AS (
        SELECT account_id, earlier, now, now - earlier AS change, since
        FROM candidates CROSS JOIN LATERAL (
            SELECT earlier, since FROM (
                (SELECT 1 AS preference, score AS earlier, calculated_at AS since
                FROM health_snapshots s
                WHERE s.account_id = candidates.account_id AND calculated_at <= %(since)s
                ORDER BY calculated_at DESC, id DESC LIMIT 1)
                UNION ALL
                (SELECT 2, score_before, calculated_at FROM health_snapshots s
                WHERE s.account_id = candidates.account_id AND calculated_at > %(since)s
                    AND score_before IS NOT NULL
                ORDER BY calculated_at, id LIMIT 1)
            ) found
            WHERE earlier IS NOT NULL ORDER BY preference LIMIT 1
        ) in_force
    ),
    selected AS (
        (SELECT * FROM moves WHERE change < 0 ORDER BY change, account_id LIMIT {MOST})
        UNION ALL
        (SELECT * FROM moves WHERE change > 0 ORDER BY change DESC, account_id LIMIT {MOST})
    )
    INSERT INTO computed_movers (days, today, data_version, movers)
    SELECT %(days)s, %(today)s, ({_VERSION}),
        (SELECT coalesce(jsonb_agg(selected), '[]') FROM selected)
    ON CONFLICT (days) DO UPDATE SET
        today = excluded.today, data_version = excluded.data_version, movers = excluded.movers
"""
"""Stores the movers, with the exact scores of the candidates."""

_MOVERS: Final = f"""
    SELECT scores_as_of, account_id, a.name, a.arr, {rounded_score_sql("earlier")},
        {rounded_score_sql("now")}, {rounded_score_sql("change")}, since
    FROM upkeep JOIN computed_movers c ON c.days = %(days)s
    LEFT JOIN LATERAL jsonb_to_recordset(c.movers) AS one (
        account_id bigint, earlier double precision, now double precision, change double precision,
        since timestamptz
    ) ON true
    LEFT JOIN accounts a ON a.id = one.account_id
    WHERE {{current}} ORDER BY abs(one.change) DESC, account_id
"""
"""Reads the stored movers: one row of nulls if no score moved."""
_CURRENT: Final = _MOVERS.format(current=f"c.today = %(today)s AND c.data_version = ({_VERSION})")
_JUST_COMPUTED: Final = _MOVERS.format(current="true")

_FORGET: Final = "DELETE FROM computed_movers WHERE today <> %(today)s"


def movers(
    database: Database, today: date, zone: tzinfo, *, days: int, limit: int
) -> dict[str, Any]:
    """Return the `limit` largest changes in each direction.

    A change is the present score minus the one in force at the beginning of the last `days`, at
    midnight; of an account that came later, minus its first score.
    """
    since = midnight(today - timedelta(days=days), zone)
    values = {
        "days": days,
        "today": today,
        "since": since,
        "since_ms": int(since.timestamp()) * 1000,
    }
    rows = database.read(_CURRENT, values)
    if not rows:

        def compute(statements: cursor) -> list[Row]:
            statements.execute("SET LOCAL work_mem = '64MB'")
            statements.execute(_COMPUTE, values)
            statements.execute(_JUST_COMPUTED, values)
            return statements.fetchall()

        rows = database.write(compute)
    moves = [_mover(row[1:]) for row in rows if row[1] is not None]
    return {
        "down": [move for move in moves if move["change"] < 0][:limit],
        "up": [move for move in moves if move["change"] > 0][:limit],
        "scores_as_of": rows[0][0].isoformat(),
    }


def forget(statements: cursor, today: date) -> None:
    """Delete what was computed on other days."""
    statements.execute(_FORGET, {"today": today})


def _mover(row: Row) -> dict[str, Any]:
    account_id, name, arr, earlier, later, change, since = row
    return {
        "id": account_id,
        "name": name,
        "arr": money(arr),
        "from": earlier,
        "to": later,
        "change": change,
        "since": iso_utc(since),
    }
