"""Formats the numbers of insights."""

from service.scoring import Factor
from service.scoring.rules import COMPONENTS
from service.scoring.score import rounded_score

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
    return f"{rounded_score(value):,.1f}".removesuffix(".0")


def percent(ratio: float) -> str:
    """`72.5%` of 0.725"""
    return f"{number(ratio * 100)}%"


def impact(factor: Factor) -> str:
    """`+3.3 points`: the factor's impact on the score."""
    return f"{rounded_score(factor.impact):+.1f} points"


def value(factor: Factor) -> str | None:
    """The value of a known component in its unit, such as `22 tickets in 30 days`, or None."""
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
