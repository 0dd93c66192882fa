"""All accounts together."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from service.bounds import SEGMENTS
from service.db import Database
from service.scoring.rules import BUCKET_NAMES, UNSCORED

RENEWAL_DAYS: Final = 60

_METRICS: Final = """
    SELECT
        grouping(a.segment, h.bucket) = 0 AS is_cell,
        a.segment,
        h.bucket,
        count(*),
        coalesce(sum(a.arr), 0),
        avg(h.score),
        percentile_cont(0.5) WITHIN GROUP (ORDER BY h.score),
        avg(least(a.active_users::double precision / a.seats_purchased, 1))
            FILTER (WHERE a.active_users IS NOT NULL AND a.seats_purchased IS NOT NULL),
        avg(a.feature_x_adoption),
        coalesce(sum(a.tickets_last_30d), 0),
        coalesce(sum(a.critical_tickets_90d), 0),
        count(*) FILTER (WHERE a.renewal_date BETWEEN %(today)s AND %(until)s)
    FROM accounts a JOIN account_health h ON h.account_id = a.id
    GROUP BY GROUPING SETS ((a.segment, h.bucket), ())
"""
"""A row for each segment and bucket that has accounts, and one for all."""

_DIGITS: Final = 6


def metrics(database: Database, today: date) -> dict[str, Any]:
    """Sums and counts, exact; averages over the accounts of which the number is known (null when there is none), to six digits."""
    rows = database.read(_METRICS, {"today": today, "until": today + timedelta(days=RENEWAL_DAYS)})
    cells = [(segment, bucket or UNSCORED, count, money) for is_cell, segment, bucket, count, money, *_ in rows if is_cell]
    total = next(row for row in rows if not row[0])
    accounts, arr, average, median, adoption, feature_adoption, tickets, critical, renewals = total[3:]
    arr_by_bucket = {name: _money(sum(money for _, bucket, _, money in cells if bucket == name)) for name in BUCKET_NAMES}
    by_bucket = {name: sum(count for _, bucket, count, _ in cells if bucket == name) for name in BUCKET_NAMES}
    return {
        "total_accounts": accounts,
        "total_arr": _money(arr),
        "arr_by_bucket": arr_by_bucket,
        "arr_by_segment": {name: _money(sum(money for segment, _, _, money in cells if segment == name)) for name in SEGMENTS},
        "accounts_by_risk": by_bucket,
        "risk_breakdown": {name: round(100 * count / accounts, _DIGITS) if accounts else 0 for name, count in by_bucket.items()},
        "avg_health_score": _rounded(average),
        "median_health_score": _rounded(median),
        "avg_adoption_ratio": _rounded(adoption),
        "avg_feature_adoption": _rounded(feature_adoption),
        "total_tickets_30d": int(tickets),
        "total_critical_90d": int(critical),
        "renewals_next_60d": renewals,
        "at_risk_arr": _money(sum(money for _, bucket, _, money in cells if bucket in {"Amber", "Red"})),
        "red_arr": arr_by_bucket["Red"],
        "amber_arr": arr_by_bucket["Amber"],
    }


def _money(amount: Decimal | int) -> int | float:
    """Whole dollars stay whole in JSON."""
    return int(amount) if amount == int(amount) else float(amount)


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, _DIGITS)
