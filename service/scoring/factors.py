"""Explains a score by its factors: the components and adjustments that it is the sum of."""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from service.scoring.rules import ADJUSTMENTS, COMPONENTS

SHOWN_IN_LISTS = 5

LABELS: Final = {part.code: part.label for part in (*COMPONENTS, *ADJUSTMENTS)}
"""The label of every possible factor, by code."""


class Factor(NamedTuple):
    """One part of a score, which is the sum of the contributions of all factors.

    A component earned `points` of `max` for its `value`; an adjustment has neither value nor max.
    `impact` is the contribution minus that of half of the maximum (for an adjustment, of zero): a
    negative impact lowers the score.
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
    """Return the factors of a score, sorted by the size of their impact.

    Adjustments of zero are left out. Three empty arguments are those of an account that has not
    been scored; it has no factors.
    """
    parts = list(zip(COMPONENTS, values, points, strict=False))
    known = sum(component.max for component, _, earned in parts if earned is not None)
    scale = 100 / known if known else 0.0
    found: list[Factor] = []
    for component, value, earned in parts:
        if earned is None:
            rest = (0.0, None, component.max, value, "unknown", 0.0)
            found.append(Factor(component.code, component.label, *rest))
        else:
            contribution = earned * scale
            impact = contribution - component.max / 2 * scale
            rest = (contribution, earned, component.max, value, "known", impact)
            found.append(Factor(component.code, component.label, *rest))
    for adjustment, contribution in zip(ADJUSTMENTS, adjustments, strict=False):
        if contribution:
            rest = (contribution, contribution, None, None, "known", contribution)
            found.append(Factor(adjustment.code, adjustment.label, *rest))
    found.sort(key=lambda factor: (-abs(factor.impact), factor.code))
    return found


def reasons(all_factors: Sequence[Factor]) -> list[str]:
    """Return the codes of the factors that lower the score, in the order of the factors."""
    return [factor.code for factor in all_factors if factor.impact < 0]


def unknown(all_factors: Sequence[Factor]) -> list[str]:
    """Return the codes of the components whose value is unknown."""
    return [factor.code for factor in all_factors if factor.status == "unknown"]


# What follows writes the same factors as JSON, four times as fast as `factors` and `json.dumps`:
# they are most of the body of a list, which ranks eleven components for each of its accounts. The
# texts of PostgreSQL's arrays are split, and numbers that do not change are copied as text. What
# depends only on which components are known is computed once (`_scaled`). Factors are identified by
# their index in COMPONENTS and then ADJUSTMENTS. A test compares the two.


def _opening(code: str, label: str) -> str:
    return f'{{"code":{json.dumps(code)},"label":{json.dumps(label)},"contribution":'


_OPENINGS: Final = tuple(_opening(part.code, part.label) for part in (*COMPONENTS, *ADJUSTMENTS))
_ADJUSTMENTS: Final = tuple(
    (index, part.code) for index, part in enumerate(ADJUSTMENTS, len(COMPONENTS))
)
_Known = list[tuple[int, str, float]]


@lru_cache(maxsize=256)
def _scaled(known: tuple[bool, ...]) -> tuple[float, _Known]:
    """The factor from points to contributions, when the components in `known` are known.

    And for each known component its index, its code and the contribution of half of its maximum.
    """
    total = sum(part.max for part, is_known in zip(COMPONENTS, known, strict=False) if is_known)
    scale = 100 / total if total else 0.0
    return scale, [
        (index, COMPONENTS[index].code, COMPONENTS[index].max / 2 * scale)
        for index, is_known in enumerate(known)
        if is_known
    ]


_ALL_KNOWN: Final = (True,) * len(COMPONENTS)


def factors_json(values: str, points: str, adjustments: str, limit: int | None = None) -> str:
    """Return `factors` of a stored score as a JSON array, with numbers of twelve digits.

    The arguments are PostgreSQL's texts of the three arrays (`{1.5,NULL}`). `limit` selects the
    first factors that have an impact.
    """
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
            index,
            contribution,
            impact,
        )
        for number, (index, code, half) in zip(numbers, known, strict=False)
    ]
    if adjustments != "{0,0,0}":
        for (index, code), number in zip(_ADJUSTMENTS, adjustments[1:-1].split(","), strict=False):
            if contribution := float(number):
                ranked.append((-abs(contribution), code, index, contribution, contribution))
    if limit is not None:
        ranked.sort()
        ranked = [factor for factor in ranked[:limit] if factor[0]]
    else:
        ranked += [
            (0.0, COMPONENTS[index].code, index, 0.0, 0.0)
            for index, number in enumerate(earned)
            if number == "NULL"
        ]
        ranked.sort()
    all_values = values[1:-1].split(",")
    objects: list[str] = []
    for _, _, index, contribution, impact in ranked:
        if index >= len(earned):
            rest = f'"points":{contribution:.12g},"max":null,"value":null,"status":"known"'
        else:
            number, value = earned[index], all_values[index]
            if value == "NULL":
                value = "null"
            status = "known"
            if number == "NULL":
                number, status = "null", "unknown"
            rest = (
                f'"points":{number},"max":{COMPONENTS[index].max},"value":{value}'
                f',"status":"{status}"'
            )
        objects.append(f'{_OPENINGS[index]}{contribution:.12g},{rest},"impact":{impact:.12g}}}')
    return f"[{','.join(objects)}]"
