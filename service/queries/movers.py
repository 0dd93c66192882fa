"""Whose score rose and fell the most, computed once for each state of the data."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from psycopg2.extensions import cursor

from service.clock import iso_utc
from service.database.connection import Database, Row
from service.queries.numbers import money, shown

MOST: Final = 50
"""Movers that are kept of each direction."""
SPARE: Final = 10

_VERSION: Final = "SELECT coalesce(max(id), 0) || ':' || count(*) FROM portfolio_cells"
"""Another one after every change of a score: each change appends a row, and folding them leaves newer ones."""

_SCORE_BITS: Final = 28
_STEPS: Final = 2**21
"""In a point: a hundred of them fit into the bits of a score."""

_NEAR: Final = f"""
    WITH earliest AS (
        SELECT account_id, min(
            (date_part('epoch', calculated_at) * 1000)::bigint - %(since_ms)s << {_SCORE_BITS} | (score * {_STEPS})::bigint
        ) AS packed
        FROM health_snapshots WHERE calculated_at >= %(since)s AND score IS NOT NULL GROUP BY account_id
    ),
    moved AS MATERIALIZED (
        SELECT account_id, h.score AS now, h.score - (packed & {2**_SCORE_BITS - 1})::double precision / {_STEPS} AS change
        FROM earliest JOIN account_health h USING (account_id) WHERE h.score IS NOT NULL
    ),
    near AS (
        (SELECT account_id, now FROM moved ORDER BY change LIMIT {MOST + SPARE})
        UNION (SELECT account_id, now FROM moved ORDER BY change DESC LIMIT {MOST + SPARE})
    )"""
"""Who moved the most. Time and score of a snapshot as one number make the earliest one a plain minimum, at a cost to the score of half a
millionth: so a few more are taken than are kept, and their scores looked up."""

_COMPUTE: Final = f"""
    {_NEAR},
    moves AS (
        SELECT account_id, earliest.score AS earlier, now, now - earliest.score AS change, calculated_at AS since
        FROM near CROSS JOIN LATERAL (
            SELECT score, calculated_at FROM health_snapshots s
            WHERE s.account_id = near.account_id AND calculated_at >= %(since)s AND score IS NOT NULL ORDER BY calculated_at LIMIT 1
        ) earliest
    ),
    kept AS (
        (SELECT * FROM moves WHERE change < 0 ORDER BY change, account_id LIMIT {MOST})
        UNION ALL (SELECT * FROM moves WHERE change > 0 ORDER BY change DESC, account_id LIMIT {MOST})
    )
    INSERT INTO computed_movers (days, today, data_version, movers)
    SELECT %(days)s, %(today)s, ({_VERSION}), (SELECT coalesce(jsonb_agg(kept), '[]') FROM kept)
    ON CONFLICT (days) DO UPDATE SET today = excluded.today, data_version = excluded.data_version, movers = excluded.movers
"""

_MOVERS: Final = f"""
    SELECT account_id, a.name, a.arr, {shown("earlier")}, {shown("now")}, {shown("change")}, since
    FROM computed_movers c
    LEFT JOIN LATERAL jsonb_to_recordset(c.movers) AS one (
        account_id bigint, earlier double precision, now double precision, change double precision, since timestamptz
    ) ON true
    LEFT JOIN accounts a ON a.id = one.account_id
    WHERE c.days = %(days)s AND c.today = %(today)s AND c.data_version = ({_VERSION})
    ORDER BY abs(one.change) DESC, account_id
"""
"""One row of nulls when nobody moved; none when it has to be computed."""


def movers(
    database: Database, today: date, *, days: int, limit: int
) -> dict[str, list[dict[str, Any]]]:
    """From the first snapshot of the last `days` (which begin at midnight UTC) to the present score: the `limit` largest of either sign."""
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
        "down": [_told(row) for row in moved if row[5] < 0][:limit],
        "up": [_told(row) for row in moved if row[5] > 0][:limit],
    }


def _told(row: Row) -> dict[str, Any]:
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
