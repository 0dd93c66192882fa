"""What a score is made of, part by part, as clients read it."""

import json
from collections.abc import Sequence
from functools import lru_cache
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


def factors(
    values: Sequence[float | None], points: Sequence[float | None], adjustments: Sequence[float]
) -> list[Factor]:
    """All factors of a stored or fresh score, the weightiest first; of the adjustments those that apply.

    All three empty: an account that has not been scored yet, which has no factors.
    """
    parts = list(zip(COMPONENTS, values, points, strict=False))
    known = sum(component.max for component, _, earned in parts if earned is not None)
    scale = 100 / known if known else 0.0
    found: list[Factor] = []
    for component, value, earned in parts:
        if earned is None:
            found.append(
                Factor(
                    component.code, component.label, 0.0, None, component.max, value, "unknown", 0.0
                )
            )
        else:
            contribution = earned * scale
            impact = contribution - component.max / 2 * scale
            found.append(
                Factor(
                    component.code,
                    component.label,
                    contribution,
                    earned,
                    component.max,
                    value,
                    "known",
                    impact,
                )
            )
    for adjustment, contribution in zip(ADJUSTMENTS, adjustments, strict=False):
        if contribution:
            found.append(
                Factor(
                    adjustment.code,
                    adjustment.label,
                    contribution,
                    contribution,
                    None,
                    None,
                    "known",
                    contribution,
                )
            )
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
_ADDED: Final = tuple((place, part.code) for place, part in enumerate(ADJUSTMENTS, len(COMPONENTS)))
_Known = list[tuple[int, str, float]]


@lru_cache(maxsize=256)
def _scaled(known: tuple[bool, ...]) -> tuple[float, _Known]:
    """What the points of the known components are multiplied with, and of each its place, its code and the contribution of half of it."""
    total = sum(part.max for part, is_known in zip(COMPONENTS, known, strict=False) if is_known)
    scale = 100 / total if total else 0.0
    return scale, [
        (place, COMPONENTS[place].code, COMPONENTS[place].max / 2 * scale)
        for place, is_known in enumerate(known)
        if is_known
    ]


_ALL_KNOWN: Final = (True,) * len(COMPONENTS)


def factors_json(values: str, points: str, adjustments: str, limit: int | None = None) -> str:
    """`factors` of a stored score as a JSON array, from PostgreSQL's text of its three arrays (`{1.5,NULL}`): most of what a list's
    answer consists of, so it is quick. Numbers have twelve digits. `limit`: the first ones that have an impact at all."""
    if len(points) <= 2:
        return "[]"
    earned = points[1:-1].split(",")
    complete = "NULL" not in points
    scale, known = _scaled(
        _ALL_KNOWN if complete else tuple([number != "NULL" for number in earned])
    )
    numbers = earned if complete else [number for number in earned if number != "NULL"]
    ranked = [
        (
            -abs(impact := (contribution := float(number) * scale) - half),
            code,
            place,
            contribution,
            impact,
        )
        for number, (place, code, half) in zip(numbers, known, strict=False)
    ]
    if adjustments != "{0,0,0}":
        for (place, code), number in zip(_ADDED, adjustments[1:-1].split(","), strict=False):
            if contribution := float(number):
                ranked.append((-abs(contribution), code, place, contribution, contribution))
    if limit is not None:
        ranked.sort()
        ranked = [one for one in ranked[:limit] if one[0]]
    else:
        ranked += [
            (0.0, COMPONENTS[place].code, place, 0.0, 0.0)
            for place, number in enumerate(earned)
            if number == "NULL"
        ]
        ranked.sort()
    judged = values[1:-1].split(",")
    told: list[str] = []
    for _, _, place, contribution, impact in ranked:
        if place >= len(earned):
            rest = f'"points":{contribution:.12g},"max":null,"value":null,"status":"known"'
        elif (number := earned[place]) == "NULL":
            value = "null" if judged[place] == "NULL" else judged[place]
            rest = f'"points":null,"max":{COMPONENTS[place].max},"value":{value},"status":"unknown"'
        else:
            rest = f'"points":{number},"max":{COMPONENTS[place].max},"value":{judged[place]},"status":"known"'
        told.append(f'{_OPENINGS[place]}{contribution:.12g},{rest},"impact":{impact:.12g}}}')
    return f"[{','.join(told)}]"
