"""What a score is made of, part by part, as clients read it."""

import json
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


def _opening(code: str, label: str) -> str:
    return f'{{"code":{json.dumps(code)},"label":{json.dumps(label)},"contribution":'


_OPENINGS: Final = tuple(_opening(part.code, part.label) for part in (*COMPONENTS, *ADJUSTMENTS))
_RANKED: Final = tuple((place, part.code, part.max, part.max / 2) for place, part in enumerate(COMPONENTS))
_ADDED: Final = tuple((place, part.code) for place, part in enumerate(ADJUSTMENTS, len(COMPONENTS)))


def factors_json(values: str, points: str, adjustments: str, limit: int | None = None) -> str:
    """`factors` of a stored score as a JSON array, from PostgreSQL's text of its three arrays (`{1.5,NULL}`): most of what a list's
    answer consists of, so it is quick. `limit`: the first ones that have an impact at all."""
    if len(points) <= 2:
        return "[]"
    earned = points[1:-1].split(",")
    known = sum([most for (_, _, most, _), number in zip(_RANKED, earned, strict=False) if number != "NULL"])
    scale = 100 / known if known else 0.0
    ranked: list[tuple[float, str, int, float, float]] = []
    for (place, code, _, half), number in zip(_RANKED, earned, strict=False):
        if number != "NULL":
            contribution = float(number) * scale
            impact = contribution - half * scale
            ranked.append((-abs(impact), code, place, contribution, impact))
        elif limit is None:
            ranked.append((0.0, code, place, 0.0, 0.0))
    added = adjustments[1:-1].split(",")
    for (place, code), number in zip(_ADDED, added, strict=False):
        contribution = float(number)
        if contribution:
            ranked.append((-abs(contribution), code, place, contribution, contribution))
    ranked.sort()
    if limit is not None:
        ranked = [one for one in ranked[:limit] if one[0]]
    told = values[1:-1].split(",")
    return f"[{','.join([_told(told, earned, *one[2:]) for one in ranked])}]"


def _told(values: Sequence[str], points: Sequence[str], place: int, contribution: float, impact: float) -> str:
    opening = _OPENINGS[place]
    if place >= len(_RANKED):
        return f'{opening}{contribution!r},"points":{contribution!r},"max":null,"value":null,"status":"known","impact":{impact!r}}}'
    most, value = _RANKED[place][2], values[place]
    if points[place] == "NULL":
        told = "null" if value == "NULL" else value
        return f'{opening}0.0,"points":null,"max":{most},"value":{told},"status":"unknown","impact":0.0}}'
    return f'{opening}{contribution!r},"points":{points[place]},"max":{most},"value":{value},"status":"known","impact":{impact!r}}}'
