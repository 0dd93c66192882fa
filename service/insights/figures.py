"""Numbers in words: the one way in which an insight shows each."""

from service.scoring import Factor
from service.scoring.rules import COMPONENTS
from service.scoring.score import shown

_UNITS = {component.code: component.unit for component in COMPONENTS}
_ONE = {
    "days": "day",
    "points": "point",
    "minutes": "minute",
    "tickets": "ticket",
    "breaches": "breach",
}


def money(dollars: float) -> str:
    """`$120,000`"""
    return f"${dollars:,.0f}" if dollars == int(dollars) else f"${dollars:,.2f}"


def number(value: float) -> str:
    """`7`, `7.5`: rounded like a score, half up."""
    return f"{shown(value):,.1f}".removesuffix(".0")


def percent(ratio: float) -> str:
    """`72.5%` of 0.725"""
    return f"{number(ratio * 100)}%"


def impact(factor: Factor) -> str:
    """`+3.3 points`: of the score, beside a neutral account."""
    return f"{shown(factor.impact):+.1f} points"


def judged_by(factor: Factor) -> str | None:
    """What a known component was judged by, in its unit; None of others."""
    if factor.value is None or factor.code not in _UNITS:
        return None
    unit = _UNITS[factor.code]
    if unit == "ratio":
        return percent(factor.value)
    if factor.code == "onboarding":
        return "on track" if factor.value else "late"
    noun, _, rest = unit.partition(" ")
    return " ".join(
        part
        for part in (number(factor.value), _ONE[noun] if factor.value == 1 else noun, rest)
        if part
    )
