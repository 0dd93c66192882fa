"""Scores into the database, from what it knows of the accounts: the one way in which an account is scored."""

from collections.abc import Sequence
from datetime import date
from typing import Final

from psycopg2.extensions import cursor

from service.queries.copying import copy_rows
from service.scoring import Inputs, score
from service.scoring.rules import SESSION_ROWS

_INPUTS: Final = """
    SELECT
        a.id, a.arr::double precision, a.seats_purchased, a.active_users, a.feature_x_adoption, a.weekly_active_pct, newest.minutes,
        a.time_to_value_days, a.tickets_last_30d, a.critical_tickets_90d, a.sla_breaches_90d, a.nps, %(today)s - a.qbr_last_date,
        a.onboarding_phase, a.renewal_date - %(today)s, a.expansion_oppty_dollar::double precision
    FROM accounts a
    CROSS JOIN LATERAL (
        SELECT avg(avg_session_min) AS minutes FROM (
            SELECT avg_session_min FROM account_metrics_daily WHERE account_id = a.id ORDER BY date DESC LIMIT %(rows)s
        ) daily
    ) newest
    WHERE a.id = ANY(%(ids)s)
    ORDER BY a.id
"""

_COLUMNS: Final = ("account_id", "score", "bucket", "coverage", "component_values", "component_points", "adjustments")

_STAGE: Final = """
    CREATE TEMP TABLE scored ON COMMIT DROP AS
    SELECT account_id, score, bucket, coverage, component_values, component_points, adjustments FROM account_health WITH NO DATA
"""

_KEEP_SNAPSHOTS: Final = """
    INSERT INTO health_snapshots (account_id, score, risk_label, coverage, component_values, component_points, adjustments)
    SELECT account_id, new.score, new.bucket, new.coverage, new.component_values, new.component_points, new.adjustments
    FROM scored new JOIN account_health old USING (account_id)
    WHERE (new.score, new.component_points, new.adjustments) IS DISTINCT FROM (old.score, old.component_points, old.adjustments)
    ORDER BY account_id
"""

_KEEP_SCORES: Final = """
    UPDATE account_health SET
        score = scored.score, bucket = scored.bucket, coverage = scored.coverage, component_values = scored.component_values,
        component_points = scored.component_points, adjustments = scored.adjustments, calculated_at = now()
    FROM scored WHERE scored.account_id = account_health.account_id
"""


def rescore(statements: cursor, account_ids: Sequence[int], today: date) -> int:
    """Scores these accounts by what is stored of them, keeps a snapshot of each that changed, and tells how many that were."""
    statements.execute(_INPUTS, {"ids": list(account_ids), "today": today, "rows": SESSION_ROWS})
    scored = [(account_id, score(Inputs._make(inputs))) for account_id, *inputs in statements.fetchall()]
    statements.execute(
        " ".join(["CREATE TEMP TABLE scored ON COMMIT DROP AS SELECT", ", ".join(_COLUMNS), "FROM account_health WITH NO DATA"])
    )
    copy_rows(statements, "scored", _COLUMNS, ((account_id, *result) for account_id, result in scored))
    statements.execute(_KEEP_SNAPSHOTS)
    changed = statements.rowcount
    statements.execute(_KEEP_SCORES)
    return changed
