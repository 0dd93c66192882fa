"""Ranks the accounts that need attention."""

from datetime import date, timedelta
from typing import Any, Final

from service.database.connection import Database
from service.queries.factors import scored
from service.queries.numbers import money, rounded_score_sql
from service.scoring.factors import reasons

_RISK: Final = "(arr::double precision * (100 - score))"
"""Dollars times lost points. The same expression as that of the index `account_health_risk_idx`."""

_PRIORITY: Final = f"""
    {_RISK} / 100 * (1 + CASE
        WHEN renewal_date BETWEEN %(today)s AND %(until)s
        THEN (%(days)s - (renewal_date - %(today)s))::double precision / %(days)s ELSE 0
    END)
"""

_CANDIDATES: Final = 10
"""Accounts read by risk for each one in the result, to find a good lower bound of the priority."""

# The priority depends on today, so no index has it. But it is at least risk / 100 and at most twice
# that. `threshold` is a priority that `limit` accounts reach: the lowest of the best ones among the
# riskiest accounts. An account whose risk / 100 is less than half of it cannot be in the result,
# whatever its renewal date; so `first` reads a short range of the risk index.
_ATTENTION: Final = f"""
    WITH at_risk AS NOT MATERIALIZED (
        SELECT account_id, score, arr, renewal_date FROM account_health
        WHERE bucket IN ('Amber', 'Red')
    ),
    riskiest AS MATERIALIZED (
        SELECT * FROM at_risk ORDER BY {_RISK} DESC LIMIT %(limit)s * {_CANDIDATES}
    ),
    threshold AS (
        SELECT {_PRIORITY} AS priority FROM riskiest ORDER BY 1 DESC OFFSET %(limit)s - 1 LIMIT 1
    ),
    first AS MATERIALIZED (
        SELECT account_id, {_PRIORITY} AS priority FROM at_risk
        WHERE {_RISK} >= coalesce((SELECT priority * 100 / 2 FROM threshold), 0)
        ORDER BY priority DESC, account_id LIMIT %(limit)s
    )
    SELECT scores_as_of, a.id, a.name, a.segment, a.cs_owner, a.arr,
        {rounded_score_sql("h.score")}, h.bucket, a.renewal_date, first.priority, h.coverage,
        h.component_values::text, h.component_points::text, h.adjustments::text
    FROM upkeep LEFT JOIN (
        first JOIN accounts a ON a.id = first.account_id JOIN account_health h USING (account_id)
    ) ON true
    ORDER BY first.priority DESC, a.id
"""
"""One row of nulls, besides the day, when no account needs attention."""


def attention(database: Database, today: date, *, days: int, limit: int) -> dict[str, Any]:
    """Return the `limit` Amber and Red accounts with the highest priority.

    The priority is the ARR times the lost part of the score, and up to twice that for a renewal
    within `days`, the sooner the more. `reasons` are the codes of the factors that lower the score,
    sorted by impact.
    """
    from service.playbooks import best  # only here: no other read imports the playbooks

    values = {"today": today, "until": today + timedelta(days=days), "days": days, "limit": limit}
    found: list[dict[str, Any]] = []
    rows = database.read(_ATTENTION, values)
    for _, *row in rows:
        if row[0] is None:
            break
        account_id, name, segment, owner, arr, score, bucket, renewal, priority = row[:9]
        coverage, *arrays = row[9:]
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
    return {"accounts": found, "scores_as_of": rows[0][0].isoformat()}
