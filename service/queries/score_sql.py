"""`service.scoring.score` in SQL, generated from the same constants.

It scores thousands of accounts in one statement, without reading them into Python. A test compares
the two on random accounts.
"""

from typing import Final

from service.scoring import rules
from service.scoring.rules import COMPONENTS, Component

# A request that began before midnight can reach an account after an upkeep of the next day did. It
# scores the account as of that next day then, because no other upkeep of that day would.
DAY: Final = "(SELECT greatest(%(today)s, max(day)) FROM upkeep WHERE day = %(today)s + 1)"

_VALUES: Final = {
    "seat_utilisation": "a.active_users::double precision / a.seats_purchased",
    "feature_adoption": "a.feature_x_adoption",
    "weekly_activity": "a.weekly_active_pct",
    "session_length": "newest.minutes",
    "time_to_value": "a.time_to_value_days",
    "ticket_volume": "a.tickets_last_30d",
    "critical_tickets": "a.critical_tickets_90d",
    "sla_breaches": "a.sla_breaches_90d",
    "nps": "a.nps",
    "review_recency": f"{DAY} - a.qbr_last_date",
    "onboarding": f"""CASE
            WHEN NOT a.onboarding_phase THEN 1
            WHEN a.onboarding_phase AND a.time_to_value_days > {rules.ONBOARDING_DAYS} THEN 0
            WHEN a.onboarding_phase AND a.time_to_value_days <= {rules.ONBOARDING_DAYS} THEN 1
        END""",
}
"""The SQL expression of each component's value; null is unknown."""


def _points(index: int, component: Component) -> str:
    """Column p0, p1, …: the points of the component's value v0, v1, …; null is unknown."""
    span = component.best - component.worst
    share = f"(v{index} - ({component.worst})) / ({span})::double precision"
    points = f"{component.max} * least(greatest({share}, 0), 1)"
    return f"CASE WHEN v{index} IS NOT NULL THEN {points} END AS p{index}"


def _each(template: str, separator: str = ", ") -> str:
    """`template` for every component, with its `{index}` and `{max}` filled in."""
    return separator.join(
        template.format(index=index, max=component.max)
        for index, component in enumerate(COMPONENTS)
    )


_VALUE_COLUMNS: Final = ",\n            ".join(
    f"({_VALUES[component.code]})::double precision AS v{index}"
    for index, component in enumerate(COMPONENTS)
)
_POINTS_COLUMNS: Final = ",\n            ".join(
    _points(index, component) for index, component in enumerate(COMPONENTS)
)
_EARNED: Final = _each("coalesce(p{index}, 0)", " + ")
_KNOWN: Final = _each("CASE WHEN p{index} IS NULL THEN 0 ELSE {max} END", " + ")
_EXPANSION: Final = f"{rules.EXPANSION_PER_RATIO} * (opportunity / arr)"
_RENEWAL: Final = (
    f"days_to_renewal BETWEEN 0 AND {rules.RENEWAL_WINDOW_DAYS} AND v0 < {rules.RENEWAL_SEAT_USE}"
)
_BUCKET: Final = " ".join(
    f"WHEN clamped_score >= {lowest} THEN '{name}'" for name, lowest in rules.BUCKETS
)

# Each step computes columns from those of the step before. `inputs` has the values v0, v1, … in the
# order of COMPONENTS, `points` the points p0, p1, …, `sums` what the components earned and could
# have earned and the adjustments, `totals` the score before it is clamped.
#
# PostgreSQL would inline the steps into each other, and then compute v0 again at each of its uses,
# and the uses of these. `OFFSET 0` prevents that: a subquery with it is computed once per row.
# (MATERIALIZED would do that too, but write all rows of each step to a temporary store first.)
SCORED: Final = f"""
    WITH inputs AS (
        SELECT a.id AS account_id, a.arr::double precision AS arr,
            a.expansion_oppty_dollar::double precision AS opportunity,
            a.renewal_date - {DAY} AS days_to_renewal,
            {_VALUE_COLUMNS}
        FROM accounts a CROSS JOIN LATERAL (
            SELECT avg(avg_session_min) AS minutes FROM (
                SELECT avg_session_min FROM account_metrics_daily WHERE account_id = a.id
                ORDER BY date DESC LIMIT {rules.SESSION_ROWS}
            ) daily
        ) newest
        WHERE a.id = ANY(%(ids)s)
        OFFSET 0
    ),
    points AS (
        SELECT *,
            {_POINTS_COLUMNS}
        FROM inputs OFFSET 0
    ),
    sums AS (
        SELECT *, ({_EARNED}) AS earned, ({_KNOWN})::double precision AS known,
            CASE WHEN arr > 0 AND opportunity > 0
                THEN least({rules.EXPANSION_MAX}, {_EXPANSION}) ELSE 0
            END::double precision AS expansion,
            CASE WHEN {_RENEWAL} THEN {rules.RENEWAL_PENALTY} ELSE 0
            END::double precision AS renewal
        FROM points OFFSET 0
    ),
    totals AS (
        SELECT *,
            CASE WHEN known > 0 THEN earned * 100 / known ELSE 0 END + expansion + renewal AS total
        FROM sums OFFSET 0
    ),
    clamped AS (
        SELECT *,
            least(greatest(total, {rules.SCORE_MIN}), {rules.SCORE_MAX}) AS clamped_score,
            known / 100 >= {rules.COVERAGE_MIN} AS has_enough_data
        FROM totals
    )
    SELECT account_id, CASE WHEN has_enough_data THEN clamped_score END AS score,
        CASE WHEN has_enough_data THEN CASE {_BUCKET} END END AS bucket, known / 100 AS coverage,
        ARRAY[{_each("v{index}")}] AS component_values,
        ARRAY[{_each("p{index}")}] AS component_points,
        ARRAY[expansion, renewal, clamped_score - total] AS adjustments
    FROM clamped
"""
"""Selects the scores of the accounts `%(ids)s` as of the date `%(today)s`."""
