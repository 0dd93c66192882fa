"""Reads an account's daily metrics and score snapshots as JSON arrays, the newest first.

Each function returns None when there is no such account.
"""

from typing import Final

from service.database.connection import Database
from service.queries.numbers import ISO_UTC_FORMAT, rounded_score_sql
from service.scoring.factors import SHOWN_IN_LISTS, factors_json

_HEALTH: Final = f"""
    SELECT row_to_json(snapshot)::text, s.component_values::text, s.component_points::text,
        s.adjustments::text
    FROM accounts a
    LEFT JOIN LATERAL (
        SELECT * FROM health_snapshots WHERE account_id = a.id
        ORDER BY calculated_at DESC, id DESC LIMIT %(limit)s
    ) s ON true
    CROSS JOIN LATERAL (
        SELECT s.id, s.account_id,
            to_char(s.calculated_at AT TIME ZONE 'UTC', {ISO_UTC_FORMAT}) AS calculated_at,
            {rounded_score_sql("s.score")} AS score, s.risk_label, s.coverage
    ) snapshot
    WHERE a.id = %(id)s
    ORDER BY s.calculated_at DESC, s.id DESC
"""
"""An account without snapshots gives one row of nulls, no account gives no row."""

_METRICS: Final = """
    SELECT (
        SELECT coalesce(json_agg(day ORDER BY day.date DESC), '[]')::text FROM (
            SELECT id, account_id, date, logins, events, feature_x_events, errors, ticket_backlog,
                avg_session_min
            FROM account_metrics_daily
            WHERE account_id = a.id AND date > (
                SELECT max(date) FROM account_metrics_daily newest WHERE newest.account_id = a.id
            ) - %(days)s
        ) day
    )
    FROM accounts a WHERE a.id = %(id)s
"""


def health(database: Database, account_id: int, *, limit: int) -> str | None:
    """Return the newest `limit` snapshots of the score, each with its strongest factors."""
    rows = database.read(_HEALTH, {"id": account_id, "limit": limit})
    if not rows:
        return None
    snapshots: list[str] = []
    for snapshot, values, points, adjustments in rows:
        if points is not None:
            factors = factors_json(values, points, adjustments, SHOWN_IN_LISTS)
            snapshots.append(f'{snapshot[:-1]},"top_factors":{factors}}}')
    return f"[{','.join(snapshots)}]"


def metrics(database: Database, account_id: int, *, days: int) -> str | None:
    """Return the daily rows of the last `days` calendar days that end with the newest row."""
    rows = database.read(_METRICS, {"id": account_id, "days": days})
    return rows[0][0] if rows else None
