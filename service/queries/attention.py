"""The accounts that need someone, the most pressing first."""

from datetime import date, timedelta
from typing import Any, Final

from service.database.connection import Database
from service.queries.factors import scored
from service.queries.numbers import money, shown
from service.scoring.factors import reasons

_RISK: Final = "(arr::double precision * (100 - score))"
"""As the index has it: dollars times lost points."""

_PRIORITY: Final = f"""
    {_RISK} / 100 * (1 + CASE
        WHEN renewal_date BETWEEN %(today)s AND %(until)s THEN (%(days)s - (renewal_date - %(today)s))::double precision / %(days)s ELSE 0
    END)
"""

_LOOKED_AT: Final = 10
"""For each account that is asked for: enough of the riskiest to know well below which risk no account can be among the first."""

_ATTENTION: Final = f"""
    WITH risky AS NOT MATERIALIZED (SELECT account_id, score, arr, renewal_date FROM account_health WHERE bucket IN ('Amber', 'Red')),
    riskiest AS MATERIALIZED (SELECT * FROM risky ORDER BY {_RISK} DESC LIMIT %(limit)s * {_LOOKED_AT}),
    reached AS (SELECT {_PRIORITY} AS priority FROM riskiest ORDER BY 1 DESC OFFSET %(limit)s - 1 LIMIT 1),
    first AS MATERIALIZED (
        SELECT account_id, {_PRIORITY} AS priority FROM risky
        WHERE {_RISK} >= coalesce((SELECT priority * 100 / 2 FROM reached), 0)
        ORDER BY priority DESC, account_id LIMIT %(limit)s
    )
    SELECT a.id, a.name, a.segment, a.cs_owner, a.arr, {shown("h.score")}, h.bucket, a.renewal_date, first.priority, h.coverage,
        h.component_values::text, h.component_points::text, h.adjustments::text
    FROM first JOIN accounts a ON a.id = first.account_id JOIN account_health h USING (account_id)
    ORDER BY first.priority DESC, a.id
"""
"""A near renewal at most doubles the risk: what has less than half of the priority that is reached already cannot be among the first."""


def attention(database: Database, today: date, *, days: int, limit: int) -> list[dict[str, Any]]:
    """The first `limit` accounts by `priority`: the ARR times the part of the score that is lost, and up to twice that
    the nearer their renewal is within `days`.

    Green and unscored ones are left out. `reasons` are the codes of what pulls the score down, the weightiest first.
    """
    from service.playbooks import best  # only here: no other read needs them

    values = {"today": today, "until": today + timedelta(days=days), "days": days, "limit": limit}
    found: list[dict[str, Any]] = []
    for row in database.read(_ATTENTION, values):
        (
            account_id,
            name,
            segment,
            owner,
            arr,
            score,
            bucket,
            renewal,
            priority,
            coverage,
            *arrays,
        ) = row
        codes = reasons(scored(coverage, *arrays).factors)
        found.append({
            "id": account_id,
            "name": name,
            "segment": segment,
            "cs_owner": owner,
            "arr": money(arr),
            "health_score": score,
            "health_bucket": bucket,
            "renewal_date": renewal and renewal.isoformat(),
            "days_to_renewal": renewal and (renewal - today).days,
            "priority": round(priority, 2),
            "reasons": codes,
            "playbook_id": best(codes, coverage),
        })  # fmt: skip
    return found
