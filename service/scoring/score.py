"""Computes the score of an account."""

from decimal import ROUND_HALF_UP, Decimal
from math import fsum
from typing import NamedTuple

from service.scoring import rules
from service.scoring.rules import COMPONENTS, Bucket


class Inputs(NamedTuple):
    """The inputs of the score. None is unknown, which is not zero.

    `session_minutes` is the mean of the newest `rules.SESSION_ROWS` daily rows. Days count from
    today; `days_to_renewal` is negative after the renewal.
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
    """A score and its parts.

    `value` is 0..100, not rounded; it and `bucket` are None when the coverage is too low. `values`
    and `points` of the components are in the order of `rules.COMPONENTS`, None where unknown;
    `adjustments` are in the order of `rules.ADJUSTMENTS`, 0 where one does not apply. The score is
    the sum of the points times 100 / the maximum of the known components, plus the adjustments.
    """

    value: float | None
    bucket: Bucket | None
    coverage: float
    values: tuple[float | None, ...]
    points: tuple[float | None, ...]
    adjustments: tuple[float, float, float]


def score(inputs: Inputs) -> Score:
    """Score an account. All inputs may be unknown; the score is None then."""
    values = _values(inputs)
    points = tuple(
        None if value is None else _points(component, value)
        for component, value in zip(COMPONENTS, values, strict=True)
    )
    known = known_max(points)
    base = fsum(earned for earned in points if earned is not None) * 100 / known if known else 0.0
    expansion, renewal = _expansion(inputs), _renewal(inputs, seat_use=values[0])
    total = base + expansion + renewal
    clamped_score = min(max(total, rules.SCORE_MIN), rules.SCORE_MAX)
    coverage = known / 100
    has_enough_data = coverage >= rules.COVERAGE_MIN
    return Score(
        value=clamped_score if has_enough_data else None,
        bucket=bucket_of(clamped_score) if has_enough_data else None,
        coverage=coverage,
        values=values,
        points=points,
        adjustments=(expansion, renewal, clamped_score - total),
    )


def known_max(points: tuple[float | None, ...]) -> int:
    """The points that the known components could have earned."""
    return sum(
        component.max
        for component, earned in zip(COMPONENTS, points, strict=True)
        if earned is not None
    )


def bucket_of(value: float) -> Bucket:
    """Return the bucket of a score that is not rounded."""
    return next(name for name, lowest in rules.BUCKETS if value >= lowest)


def rounded_score(value: float) -> float:
    """Round a score to one decimal, as `rounded_score_sql` does.

    PostgreSQL converts a double to numeric with fifteen digits, and rounds half up.
    """
    return float(Decimal(f"{value:.15g}").quantize(Decimal("0.1"), ROUND_HALF_UP))


def _points(component: rules.Component, value: float) -> float:
    share = (value - component.worst) / (component.best - component.worst)
    return component.max * min(max(share, 0.0), 1.0)


def _values(inputs: Inputs) -> tuple[float | None, ...]:
    """The values of the components, in the order of `COMPONENTS`."""
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


def _renewal(inputs: Inputs, *, seat_use: float | None) -> float:
    near = (
        inputs.days_to_renewal is not None
        and 0 <= inputs.days_to_renewal <= rules.RENEWAL_WINDOW_DAYS
    )
    return (
        rules.RENEWAL_PENALTY
        if near and seat_use is not None and seat_use < rules.RENEWAL_SEAT_USE
        else 0.0
    )
