"""The constants of the score, as `GET /scoring` returns them."""

from itertools import groupby
from typing import Any

from service.scoring import rules


def scheme() -> dict[str, Any]:
    """Return groups of components, adjustments with parameters, and buckets."""
    groups = [
        (name, list(components))
        for name, components in groupby(rules.COMPONENTS, key=lambda component: component.group)
    ]
    return {
        "groups": [
            {
                "name": name,
                "max": sum(component.max for component in components),
                "components": [
                    {part: value for part, value in component._asdict().items() if part != "group"}
                    for component in components
                ],
            }
            for name, components in groups
        ],
        "adjustments": [
            {"code": adjustment.code, "label": adjustment.label, "parameters": parameters}
            for adjustment, parameters in (
                (
                    rules.EXPANSION,
                    {
                        "max": rules.EXPANSION_MAX,
                        "per_ratio_of_opportunity_to_arr": rules.EXPANSION_PER_RATIO,
                    },
                ),
                (
                    rules.RENEWAL,
                    {
                        "points": rules.RENEWAL_PENALTY,
                        "within_days": rules.RENEWAL_WINDOW_DAYS,
                        "seat_utilisation_below": rules.RENEWAL_SEAT_USE,
                    },
                ),
                (rules.LIMIT, {"min": rules.SCORE_MIN, "max": rules.SCORE_MAX}),
            )
        ],
        "buckets": [{"name": name, "min": lowest} for name, lowest in rules.BUCKETS],
        "coverage_min": rules.COVERAGE_MIN,
        "session_rows": rules.SESSION_ROWS,
        "onboarding_days": rules.ONBOARDING_DAYS,
    }
