"""Computes the metrics of all accounts from the rollup tables."""

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from service.database.connection import Database
from service.queries.numbers import money
from service.queries.pagination import BINS_A_POINT
from service.schema.limits import SEGMENTS
from service.scoring.rules import BUCKET_NAMES, UNSCORED

SOON_DAYS: Final = 60
NANOS: Final = 10**9
"""Rollups sum scores and ratios as integers in billionths, so that sums are exact."""

# The median of a million scores without reading them: `score_bins` counts accounts per eighth of a
# point. `ranks` adds for each bin the number of scores below it; `middle` is the bin that holds the
# lower median (rank (n - 1) / 2 from 0), how many of its scores to skip, and how many to average:
# one for an odd number of scores, two for an even one. `median` then reads only scores from the
# start of that bin on, in the order of the index. The second one may lie in a later bin, which the
# ORDER BY reaches.
_METRICS: Final = f"""
    WITH cells AS (
        SELECT segment, bucket, sum(accounts), sum(arr), sum(score_nanos), sum(with_seat_use),
            sum(seat_use_nanos), sum(with_feature), sum(feature_nanos), sum(tickets), sum(critical)
        FROM portfolio_cells GROUP BY segment, bucket
    ),
    bins AS (SELECT eighth, sum(accounts) AS accounts FROM score_bins GROUP BY eighth),
    ranks AS (
        SELECT eighth, accounts, sum(accounts) OVER (ORDER BY eighth) - accounts AS rows_before
        FROM bins
    ),
    middle AS (
        SELECT (eighth / {BINS_A_POINT}.0)::double precision AS lowest,
            (lower_rank - rows_before)::bigint AS skip, 2 - mod(scored, 2)::int AS count
        FROM (
            SELECT sum(accounts) AS scored, div(sum(accounts) - 1, 2) AS lower_rank FROM bins
        ) counts, ranks
        WHERE accounts > 0 AND lower_rank BETWEEN rows_before AND rows_before + accounts - 1
    ),
    median AS (
        SELECT avg(score) AS median FROM (
            SELECT score FROM account_health WHERE score >= (SELECT lowest FROM middle)
            ORDER BY score OFFSET (SELECT skip FROM middle) LIMIT (SELECT count FROM middle)
        ) scores
    ),
    renewals AS (
        SELECT coalesce(sum(accounts), 0)::bigint FROM renewal_days
        WHERE renewal_date BETWEEN %(today)s AND %(until)s
    )
    SELECT scores_as_of, median.*, renewals.*, cells.*
    FROM upkeep CROSS JOIN median CROSS JOIN renewals LEFT JOIN cells ON true
"""
"""One row for each segment and bucket that has accounts, or one of nulls. The first three columns
are the same in all rows: the day of the scores, the median and the number of renewals."""

_RENEWALS: Final = """
    SELECT scores_as_of, months.* FROM upkeep LEFT JOIN (
        SELECT to_char(renewal_date, 'YYYY-MM') AS month, bucket, sum(accounts)::bigint, sum(arr)
        FROM renewal_days WHERE renewal_date BETWEEN %(today)s AND %(until)s
        GROUP BY 1, 2 HAVING sum(accounts) <> 0
    ) months ON true ORDER BY month
"""

_DIGITS: Final = 6
_ZERO: Final = Decimal(0)


def metrics(database: Database, today: date) -> dict[str, Any]:
    """Return exact sums and counts, and averages rounded to six digits.

    An average is over the accounts whose value is known, and None when there is no such account.
    """
    rows = database.read(_METRICS, {"today": today, "until": today + timedelta(days=SOON_DAYS)})
    counts, arr = dict.fromkeys(BUCKET_NAMES, 0), dict.fromkeys(BUCKET_NAMES, _ZERO)
    by_segment = dict.fromkeys(SEGMENTS, _ZERO)
    scores_as_of, median, renewals = rows[0][:3]
    cells = [row[3:] for row in rows if row[3] is not None]
    for segment, bucket, accounts, dollars, *_ in cells:
        counts[bucket or UNSCORED] += int(accounts)
        arr[bucket or UNSCORED] += dollars
        by_segment[segment] += dollars
    score, with_seat_use, seat_use, with_feature, feature, tickets, critical = _sums(
        [cell[4:] for cell in cells]
    )
    total = sum(counts.values())
    return {
        "total_accounts": total,
        "total_arr": money(sum(arr.values(), _ZERO)),
        "arr_by_bucket": {name: money(dollars) for name, dollars in arr.items()},
        "arr_by_segment": {name: money(dollars) for name, dollars in by_segment.items()},
        "accounts_by_risk": counts,
        "risk_breakdown": {
            name: round(100 * count / total, _DIGITS) if total else 0
            for name, count in counts.items()
        },
        "avg_health_score": _average(score, total - counts[UNSCORED]),
        "median_health_score": None if median is None else round(median, _DIGITS),
        "avg_adoption_ratio": _average(seat_use, with_seat_use),
        "avg_feature_adoption": _average(feature, with_feature),
        "total_tickets_30d": tickets,
        "total_critical_90d": critical,
        "renewals_next_60d": renewals,
        "at_risk_arr": money(arr["Amber"] + arr["Red"]),
        "red_arr": money(arr["Red"]),
        "amber_arr": money(arr["Amber"]),
        "scores_as_of": scores_as_of.isoformat(),
    }


def renewals(database: Database, today: date, days: int) -> dict[str, Any]:
    """Return accounts and ARR that renew within `days` from today, by month and bucket.

    Months without a renewal are left out.
    """
    months: dict[str, dict[str, Any]] = {}
    rows = database.read(_RENEWALS, {"today": today, "until": today + timedelta(days=days)})
    for _, month, bucket, accounts, dollars in rows:
        if month is None:
            break
        by_bucket = months.setdefault(month, dict.fromkeys(BUCKET_NAMES, (0, _ZERO)))
        by_bucket[bucket or UNSCORED] = (accounts, dollars)
    all_parts = [part for by_bucket in months.values() for part in by_bucket.values()]
    return {
        "months": [
            {
                "month": month,
                **_total(by_bucket.values()),
                "by_bucket": {name: _total([part]) for name, part in by_bucket.items()},
            }
            for month, by_bucket in months.items()
        ],
        **{f"total_{name}": value for name, value in _total(all_parts).items()},
        "scores_as_of": rows[0][0].isoformat(),
    }


def _total(parts: Iterable[tuple[int, Decimal]]) -> dict[str, Any]:
    parts = list(parts)
    return {
        "accounts": sum(accounts for accounts, _ in parts),
        "arr": money(sum((dollars for _, dollars in parts), _ZERO)),
    }


def _sums(rows: list[tuple[Decimal, ...]]) -> list[int]:
    return [int(sum(column)) for column in zip(*rows, strict=True)] or [0] * 7


def _average(nanos: int, count: int) -> float | None:
    return round(nanos / count / NANOS, _DIGITS) if count else None
