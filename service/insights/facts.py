"""What an insight rests on, as the database has it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from service.scoring import Factor
from service.scoring.rules import RENEWAL_WINDOW_DAYS

Renewal = Literal["passed", "near", "later"]


@dataclass(frozen=True, kw_only=True)
class AccountFacts:
    """One account. `score` is 0..100, unrounded; it and `bucket` are None when too little is known."""

    id: int
    name: str
    segment: str
    industry: str | None
    region: str | None
    arr: float
    opportunity: float
    renewal_date: date | None
    renewal: Renewal | None
    score: float | None
    bucket: str | None
    coverage: float
    factors: Sequence[Factor]


@dataclass(frozen=True, kw_only=True)
class TopAccount:
    """One of the accounts that a portfolio insight points at. `reasons` are factor codes, the weightiest first."""

    id: int
    name: str
    segment: str
    arr: float
    opportunity: float
    score: float | None
    bucket: str | None
    reasons: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class PortfolioFacts:
    """`metrics` as `GET /portfolio/metrics` has them, without `as_of`; `risks` by ARR, `opportunities` by their dollars."""

    metrics: Mapping[str, Any]
    risks: Sequence[TopAccount]
    opportunities: Sequence[TopAccount]


def renewal(due: date | None, today: date) -> Renewal | None:
    """Where a renewal stands: in steps, not days, so that what is said of it stays true until the next step."""
    if due is None:
        return None
    days = (due - today).days
    return "passed" if days < 0 else "near" if days <= RENEWAL_WINDOW_DAYS else "later"
