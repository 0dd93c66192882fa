"""From what is known of an account to its score."""

from decimal import ROUND_HALF_UP, Decimal
from math import fsum
from typing import NamedTuple

from service.scoring import rules
from service.scoring.rules import COMPONENTS, Bucket


class Inputs(NamedTuple):
    """What the score rests on; None is unknown, which is not zero.

    `session_minutes` is the mean over the newest daily rows; days count from today (`days_to_renewal` is negative once it has passed).
    """

    arr: float
    seats_purchased: int | None = None
    active_users: int | None = None
    feature_x_adoption: float | None = None
    weekly_active_pct: float | None = None
    session_minutes: float | None = None
    time_to_value_days: int | None = None
    tickets_last_30d: int | None = None
    critical_tickets_90d: int | None = None
    sla_breaches_90d: int | None = None
    nps: int | None = None
    days_since_review: int | None = None
    onboarding_phase: bool | None = None
    days_to_renewal: int | None = None
    expansion_oppty_dollar: float = 0.0


class Score(NamedTuple):
    """A score and what it is made of.

    `value` (0..100, unrounded) and `bucket` are None when too little is known. `values` are what the components were judged by and
    `points` what they earned, in the order of `rules.COMPONENTS`, None where unknown; `adjustments` in the order of
    `rules.ADJUSTMENTS`, 0 where there is none. The points times 100 / the known maximum, plus the adjustments, are the score.
    """

    value: float | None
    bucket: Bucket | None
    coverage: float
    values: tuple[float | None, ...]
    points: tuple[float | None, ...]
    adjustments: tuple[float, float, float]


def score(inputs: Inputs) -> Score:
    """Score an account. Any valid input gives a result; the most that can be missing is everything."""
    values = _values(inputs)
    points = tuple(
        None if value is None else _points(component, value)
        for component, value in zip(COMPONENTS, values, strict=True)
    )
    known = known_max(points)
    base = fsum(earned for earned in points if earned is not None) * 100 / known if known else 0.0
    expansion, pressure = _expansion(inputs), _pressure(inputs, seat_use=values[0])
    total = base + expansion + pressure
    kept = min(max(total, rules.SCORE_MIN), rules.SCORE_MAX)
    coverage = known / 100
    told = coverage >= rules.COVERAGE_MIN
    return Score(
        value=kept if told else None,
        bucket=bucket_of(kept) if told else None,
        coverage=coverage,
        values=values,
        points=points,
        adjustments=(expansion, pressure, kept - total),
    )


def known_max(points: tuple[float | None, ...]) -> int:
    """The points that the known components could have earned."""
    return sum(
        component.max
        for component, earned in zip(COMPONENTS, points, strict=True)
        if earned is not None
    )


def bucket_of(value: float) -> Bucket:
    """The bucket of an unrounded score."""
    return next(name for name, lowest in rules.BUCKETS if value >= lowest)


def shown(value: float) -> float:
    """A score as clients see it, with one decimal: rounded as PostgreSQL rounds `score::numeric`, from fifteen digits and half up."""
    return float(Decimal(f"{value:.15g}").quantize(Decimal("0.1"), ROUND_HALF_UP))


def _points(component: rules.Component, value: float) -> float:
    share = (value - component.worst) / (component.best - component.worst)
    return component.max * min(max(share, 0.0), 1.0)


def _values(inputs: Inputs) -> tuple[float | None, ...]:
    """In the order of `COMPONENTS`."""
    seats, active = inputs.seats_purchased, inputs.active_users
    return (
        active / seats if seats is not None and active is not None else None,
        inputs.feature_x_adoption,
        inputs.weekly_active_pct,
        inputs.session_minutes,
        inputs.time_to_value_days,
        inputs.tickets_last_30d,
        inputs.critical_tickets_90d,
        inputs.sla_breaches_90d,
        inputs.nps,
        inputs.days_since_review,
        _on_track(inputs),
    )


def _on_track(inputs: Inputs) -> float | None:
    if inputs.onboarding_phase is None:
        return None
    if not inputs.onboarding_phase:
        return 1.0
    if inputs.time_to_value_days is None:
        return None
    return 0.0 if inputs.time_to_value_days > rules.ONBOARDING_DAYS else 1.0


def _expansion(inputs: Inputs) -> float:
    if inputs.arr <= 0 or inputs.expansion_oppty_dollar <= 0:
        return 0.0
    return min(
        rules.EXPANSION_MAX,
        rules.EXPANSION_PER_RATIO * (inputs.expansion_oppty_dollar / inputs.arr),
    )


def _pressure(inputs: Inputs, *, seat_use: float | None) -> float:
    near = (
        inputs.days_to_renewal is not None
        and 0 <= inputs.days_to_renewal <= rules.RENEWAL_WINDOW_DAYS
    )
    return (
        rules.RENEWAL_PENALTY
        if near and seat_use is not None and seat_use < rules.RENEWAL_SEAT_USE
        else 0.0
    )
