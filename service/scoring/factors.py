"""What a score is made of, part by part, as clients read it."""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from service.scoring.rules import ADJUSTMENTS, COMPONENTS

SHOWN_IN_LISTS = 5

LABELS: Final = {part.code: part.label for part in (*COMPONENTS, *ADJUSTMENTS)}
"""Of all factors that there can be, by code."""


class Factor(NamedTuple):
    """One part of a score. The contributions of all factors sum to it.

    `value` is what the component was judged by, `points` of `max` what it earned; an adjustment has neither value nor max.
    `impact` is the distance from a half-earned component (for an adjustment its contribution): negative ones pull the score down.
    """

    code: str
    label: str
    contribution: float
    points: float | None
    max: int | None
    value: float | None
    status: Literal["known", "unknown"]
    impact: float


def factors(values: Sequence[float | None], points: Sequence[float | None], adjustments: Sequence[float]) -> list[Factor]:
    """All factors of a stored or fresh score, the weightiest first; of the adjustments those that apply.

    All three empty: an account that has not been scored yet, which has no factors.
    """
    parts = list(zip(COMPONENTS, values, points, strict=False))
    known = sum(component.max for component, _, earned in parts if earned is not None)
    scale = 100 / known if known else 0.0
    found: list[Factor] = []
    for component, value, earned in parts:
        if earned is None:
            found.append(Factor(component.code, component.label, 0.0, None, component.max, value, "unknown", 0.0))
        else:
            contribution = earned * scale
            impact = contribution - component.max / 2 * scale
            found.append(Factor(component.code, component.label, contribution, earned, component.max, value, "known", impact))
    for adjustment, contribution in zip(ADJUSTMENTS, adjustments, strict=False):
        if contribution:
            found.append(Factor(adjustment.code, adjustment.label, contribution, contribution, None, None, "known", contribution))
    found.sort(key=lambda factor: (-abs(factor.impact), factor.code))
    return found


def weightiest(all_factors: Sequence[Factor], limit: int = SHOWN_IN_LISTS) -> list[Factor]:
    """The first ones with an impact at all."""
    return [factor for factor in all_factors if factor.impact][:limit]


def reasons(all_factors: Sequence[Factor]) -> list[str]:
    """The codes of what pulls the score down, in the order of the factors."""
    return [factor.code for factor in all_factors if factor.impact < 0]


def unknown(all_factors: Sequence[Factor]) -> list[str]:
    """The codes of the components that nothing is known of."""
    return [factor.code for factor in all_factors if factor.status == "unknown"]
