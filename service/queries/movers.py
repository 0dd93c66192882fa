"""Finds the accounts whose score rose and fell the most. Computed once per state of the data."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from psycopg2.extensions import cursor

from service.clock import iso_utc
from service.database.connection import Database, Row
from service.queries.numbers import money, rounded_score_sql

MOST: Final = 50
"""Movers that are stored of each direction, the largest number that a request can ask for."""
SPARE: Final = 10
"""Candidates of each direction beyond `MOST`, because candidates have rounded scores."""

_VERSION: Final = "SELECT coalesce(max(id), 0) || ':' || count(*) FROM portfolio_cells"
"""Identifies the state of the scores: each change of one appends a row, and compacting the rollup
inserts rows with higher ids."""

# The earliest snapshot of each account in the window is wanted with its score. DISTINCT ON and
# window functions sort all snapshots for that; min() over a bigint needs no sort. So time and score
# are packed into one number that orders by time:
#
#     bit 63 ......... 28 | 27 ............... 0
#     ms since the window | score in steps of 1 / _STEPS
#
# 100 points take 100 * 2**21 = 209,715,200 steps, which is less than 2**28 = 268,435,456; a window
# of 366 days takes 35 bits. PostgreSQL's `-` binds tighter than `<<` and `|`, which have the same
# precedence and associate to the left, so that the expression needs no more parentheses.
_SCORE_BITS: Final = 28
_SCORE_MASK: Final = 2**_SCORE_BITS - 1
_STEPS: Final = 2**21

_CANDIDATES: Final = f"""
    WITH earliest AS (
        SELECT account_id, min(
            (date_part('epoch', calculated_at) * 1000)::bigint - %(since_ms)s << {_SCORE_BITS}
            | (score * {_STEPS})::bigint
        ) AS packed
        FROM health_snapshots
        WHERE calculated_at >= %(since)s AND score IS NOT NULL GROUP BY account_id
    ),
    moved AS MATERIALIZED (
        SELECT account_id, h.score AS now,
            h.score - (packed & {_SCORE_MASK})::double precision / {_STEPS} AS change
        FROM earliest JOIN account_health h USING (account_id) WHERE h.score IS NOT NULL
    ),
    candidates AS (
        (SELECT account_id, now FROM moved ORDER BY change LIMIT {MOST + SPARE})
        UNION (SELECT account_id, now FROM moved ORDER BY change DESC LIMIT {MOST + SPARE})
    )"""
"""The accounts that moved the most, by scores in steps of half a millionth."""

_COMPUTE: Final = f"""
    {_CANDIDATES},
    moves AS (
        SELECT account_id, earliest.score AS earlier, now, now - earliest.score AS change,
            calculated_at AS since
        FROM candidates CROSS JOIN LATERAL (
            SELECT score, calculated_at FROM health_snapshots s
            WHERE s.account_id = candidates.account_id AND calculated_at >= %(since)s
                AND score IS NOT NULL
            ORDER BY calculated_at LIMIT 1
        ) earliest
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
    SELECT account_id, a.name, a.arr, {rounded_score_sql("earlier")}, {rounded_score_sql("now")},
        {rounded_score_sql("change")}, since
    FROM computed_movers c
    LEFT JOIN LATERAL jsonb_to_recordset(c.movers) AS one (
        account_id bigint, earlier double precision, now double precision, change double precision,
        since timestamptz
    ) ON true
    LEFT JOIN accounts a ON a.id = one.account_id
    WHERE c.days = %(days)s AND c.today = %(today)s AND c.data_version = ({_VERSION})
    ORDER BY abs(one.change) DESC, account_id
"""
"""Reads the stored movers: one row of nulls if no score moved, no row if they are outdated."""


def movers(
    database: Database, today: date, *, days: int, limit: int
) -> dict[str, list[dict[str, Any]]]:
    """Return the `limit` largest changes in each direction.

    A change is the present score minus that of the first snapshot in the last `days`, which begin
    at midnight UTC.
    """
    since = datetime.combine(today - timedelta(days=days), time(), UTC)
    values = {
        "days": days,
        "today": today,
        "since": since,
        "since_ms": int(since.timestamp()) * 1000,
    }
    rows = database.read(_MOVERS, values)
    if not rows:

        def compute(statements: cursor) -> list[Row]:
            statements.execute("SET LOCAL work_mem = '64MB'")
            statements.execute(_COMPUTE, values)
            statements.execute(_MOVERS, values)
            return statements.fetchall()

        rows = database.write(compute)
    moved = [row for row in rows if row[0] is not None]
    return {
        "down": [_mover(row) for row in moved if row[5] < 0][:limit],
        "up": [_mover(row) for row in moved if row[5] > 0][:limit],
    }


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
