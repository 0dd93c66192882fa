"""The facts that an insight is written from, as the database has them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from service.scoring import Factor
from service.scoring.rules import RENEWAL_WINDOW_DAYS

Renewal = Literal["passed", "near", "later"]


@dataclass(frozen=True, kw_only=True)
class AccountFacts:
    """One account. `score` is 0..100, not rounded; None, like `bucket`, when there is none.

    `scores_as_of` is the day of the score.
    """

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
    scores_as_of: date


@dataclass(frozen=True, kw_only=True)
class TopAccount:
    """An account in a portfolio insight. `reasons` are factor codes, sorted by impact."""

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
    """`metrics` are those of `GET /portfolio/metrics`, without `as_of`.

    `risks` are sorted by ARR, `opportunities` by their dollars.
    """

    metrics: Mapping[str, Any]
    risks: Sequence[TopAccount]
    opportunities: Sequence[TopAccount]


def renewal(due: date | None, today: date) -> Renewal | None:
    """Classify a renewal date. Not in days, so that an insight stays valid for more than one."""
    if due is None:
        return None
    days = (due - today).days
    return "passed" if days < 0 else "near" if days <= RENEWAL_WINDOW_DAYS else "later"
