"""`service.scoring.score` as SQL, from the same table of constants: accounts are scored where their data is, thousands at once.

A test compares the two.
"""

from typing import Final

from service.scoring import rules
from service.scoring.rules import COMPONENTS

_JUDGED: Final = {
    "seat_utilisation": "a.active_users::double precision / a.seats_purchased",
    "feature_adoption": "a.feature_x_adoption",
    "weekly_activity": "a.weekly_active_pct",
    "session_length": "newest.minutes",
    "time_to_value": "a.time_to_value_days",
    "ticket_volume": "a.tickets_last_30d",
    "critical_tickets": "a.critical_tickets_90d",
    "sla_breaches": "a.sla_breaches_90d",
    "nps": "a.nps",
    "review_recency": "%(today)s - a.qbr_last_date",
    "onboarding": f"""CASE
        WHEN NOT a.onboarding_phase THEN 1
        WHEN a.onboarding_phase AND a.time_to_value_days > {rules.ONBOARDING_DAYS} THEN 0
        WHEN a.onboarding_phase AND a.time_to_value_days <= {rules.ONBOARDING_DAYS} THEN 1
    END""",
}
"""What each component is judged by; null is unknown."""


def _points(place: int, part: rules.Component) -> str:
    share = f"(v{place} - ({part.worst})) / ({part.best - part.worst})::double precision"
    return f"CASE WHEN v{place} IS NOT NULL THEN {part.max} * least(greatest({share}, 0), 1) END AS p{place}"


def _each(text: str, separator: str = ", ") -> str:
    """`text` for every component, with its `{place}` and `{max}` filled in."""
    return separator.join(
        text.format(place=place, max=part.max) for place, part in enumerate(COMPONENTS)
    )


_BUCKET: Final = " ".join(f"WHEN kept >= {lowest} THEN '{name}'" for name, lowest in rules.BUCKETS)

SCORED: Final = f"""
    SELECT account_id, CASE WHEN told THEN kept END AS score, CASE WHEN told THEN CASE {_BUCKET} END END AS bucket, known / 100 AS coverage,
        ARRAY[{_each("v{place}")}] AS component_values, ARRAY[{_each("p{place}")}] AS component_points,
        ARRAY[expansion, pressure, kept - total] AS adjustments
    FROM (
        SELECT *, least(greatest(total, {rules.SCORE_MIN}), {rules.SCORE_MAX}) AS kept, known / 100 >= {rules.COVERAGE_MIN} AS told
        FROM (
            SELECT *, CASE WHEN known > 0 THEN earned * 100 / known ELSE 0 END + expansion + pressure AS total
            FROM (
                SELECT *, ({_each("coalesce(p{place}, 0)", " + ")}) AS earned,
                    ({_each("CASE WHEN p{place} IS NULL THEN 0 ELSE {max} END", " + ")})::double precision AS known,
                    CASE WHEN arr > 0 AND opportunity > 0
                        THEN least({rules.EXPANSION_MAX}, {rules.EXPANSION_PER_RATIO} * (opportunity / arr)) ELSE 0
                    END::double precision AS expansion,
                    CASE WHEN days_to_renewal BETWEEN 0 AND {rules.RENEWAL_WINDOW_DAYS} AND v0 < {rules.RENEWAL_SEAT_USE}
                        THEN {rules.RENEWAL_PENALTY} ELSE 0
                    END::double precision AS pressure
                FROM (
                    SELECT *, {", ".join(_points(place, part) for place, part in enumerate(COMPONENTS))}
                    FROM (
                        SELECT a.id AS account_id, a.arr::double precision AS arr,
                            a.expansion_oppty_dollar::double precision AS opportunity,
                            a.renewal_date - %(today)s AS days_to_renewal,
                            {", ".join(f"({_JUDGED[part.code]})::double precision AS v{place}" for place, part in enumerate(COMPONENTS))}
                        FROM accounts a CROSS JOIN LATERAL (
                            SELECT avg(avg_session_min) AS minutes FROM (
                                SELECT avg_session_min FROM account_metrics_daily WHERE account_id = a.id
                                ORDER BY date DESC LIMIT {rules.SESSION_ROWS}
                            ) daily
                        ) newest
                        WHERE a.id = ANY(%(ids)s)
                        OFFSET 0
                    ) judged
                    OFFSET 0
                ) pointed
                OFFSET 0
            ) summed
            OFFSET 0
        ) totalled
    ) scored
"""
"""The scores of the accounts `%(ids)s` as of `%(today)s`, by what is stored of them. `OFFSET 0`: computed once, not at each use."""
