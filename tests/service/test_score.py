"""The score, as a pure function."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.queries.numbers import format_numbers
from service.scoring import Inputs, Score, factors, score
from service.scoring.factors import Factor, factors_json
from service.scoring.rules import ADJUSTMENTS, COMPONENTS
from service.scoring.score import bucket_of

WORKED = Inputs(
    arr=120_000,
    seats_purchased=100,
    active_users=80,
    feature_x_adoption=0.5,
    weekly_active_pct=0.6,
    time_to_value_days=30,
    tickets_last_30d=3,
    critical_tickets_90d=1,
    sla_breaches_90d=0,
    nps=40,
    days_since_review=30,
    onboarding_phase=False,
)

COUNTS = st.none() | st.integers(0, 2**31 - 1) | st.integers(0, 120)
RATIOS = st.none() | st.floats(0, 1)
INPUTS = st.builds(
    Inputs,
    arr=st.floats(0, 1e12),
    seats_purchased=st.none() | st.integers(1, 2**31 - 1) | st.integers(1, 100),
    active_users=COUNTS,
    feature_x_adoption=RATIOS,
    weekly_active_pct=RATIOS,
    session_minutes=st.none() | st.floats(0, 1e6) | st.floats(0, 60),
    time_to_value_days=COUNTS,
    tickets_last_30d=COUNTS,
    critical_tickets_90d=COUNTS,
    sla_breaches_90d=COUNTS,
    nps=st.none() | st.integers(-100, 100),
    days_since_review=st.none() | st.integers(-400, 4000),
    onboarding_phase=st.none() | st.booleans(),
    days_to_renewal=st.none() | st.integers(-400, 4000),
    expansion_oppty_dollar=st.floats(0, 1e12),
)

BETTER_WHEN_HIGHER = (
    "active_users",
    "feature_x_adoption",
    "weekly_active_pct",
    "session_minutes",
    "nps",
)
BETTER_WHEN_LOWER = (
    "time_to_value_days",
    "tickets_last_30d",
    "critical_tickets_90d",
    "sla_breaches_90d",
    "days_since_review",
)


def everything(result: Score) -> list[Any]:
    return factors(result.values, result.points, result.adjustments)


def with_impact(found: list[Factor]) -> list[Factor]:
    return [factor for factor in found if factor.impact]


def test_the_worked_example_scores_as_it_is_written_down() -> None:
    result = score(WORKED)
    points = dict(zip((component.code for component in COMPONENTS), result.points, strict=True))
    assert points["seat_utilisation"] == 16
    assert points["time_to_value"] == pytest.approx(7.2289, abs=5e-5)
    assert points["session_length"] is None
    assert math.fsum(earned for earned in result.points if earned is not None) == pytest.approx(
        68.0789, abs=5e-5
    )
    assert result.value == pytest.approx(75.6432, abs=5e-5)
    assert (result.bucket, result.coverage) == ("Green", 0.9)


def test_the_weights_of_all_components_make_a_hundred() -> None:
    assert sum(component.max for component in COMPONENTS) == 100
    assert len({part.code for part in (*COMPONENTS, *ADJUSTMENTS)}) == len(COMPONENTS) + len(
        ADJUSTMENTS
    )


@given(INPUTS)
def test_the_contributions_of_all_factors_sum_to_the_score(inputs: Inputs) -> None:
    result = score(inputs)
    total = math.fsum(factor.contribution for factor in everything(result))
    assert total + 1e-9 >= 0
    assert total <= 100 + 1e-9
    if result.value is not None:
        assert total == pytest.approx(result.value, abs=1e-9)
        assert 0 <= result.value <= 100


@given(INPUTS)
def test_there_is_a_score_only_when_three_tenths_are_known(inputs: Inputs) -> None:
    result = score(inputs)
    known = [
        component.max
        for component, earned in zip(COMPONENTS, result.points, strict=True)
        if earned is not None
    ]
    assert result.coverage == sum(known) / 100
    assert (result.value is None) == (result.bucket is None) == (result.coverage < 0.3)


@given(INPUTS)
def test_every_component_is_among_the_factors_by_impact(inputs: Inputs) -> None:
    result = score(inputs)
    found = everything(result)
    codes = [factor.code for factor in found]
    assert {component.code for component in COMPONENTS} <= set(codes)
    assert len(codes) == len(set(codes))
    assert [abs(factor.impact) for factor in found] == sorted(
        (abs(factor.impact) for factor in found), reverse=True
    )
    assert all((factor.status == "unknown") == (factor.points is None) for factor in found)
    assert all(
        factor.contribution == factor.impact == 0 for factor in found if factor.status == "unknown"
    )


@given(INPUTS, st.data())
def test_more_of_a_good_thing_never_lowers_the_score(inputs: Inputs, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(BETTER_WHEN_HIGHER))
    value = getattr(inputs, name)
    if value is None:
        return
    better = inputs._replace(
        **{
            name: data.draw(
                st.integers(value, 2**31 - 1) if isinstance(value, int) else st.floats(value, 1e6)
            )
        }
    )
    assert known(score(better)) >= known(score(inputs)) - 1e-9


@given(INPUTS, st.data())
def test_more_of_a_bad_thing_never_raises_the_score(inputs: Inputs, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(BETTER_WHEN_LOWER))
    value = getattr(inputs, name)
    if value is None:
        return
    worse = inputs._replace(**{name: data.draw(st.integers(value, 2**31 - 1))})
    assert known(score(worse)) <= known(score(inputs)) + 1e-9


def known(result: Score) -> float:
    """The sum of the contributions, also where there is not enough data for a score."""
    return math.fsum(factor.contribution for factor in everything(result))


@given(INPUTS)
def test_an_unknown_part_takes_its_weight_out_of_the_coverage_and_leaves_the_others_their_points(
    inputs: Inputs,
) -> None:
    before, after = score(inputs._replace(nps=10)), score(inputs._replace(nps=None))
    assert after.coverage == pytest.approx(before.coverage - 0.15)
    assert [
        points
        for component, points in zip(COMPONENTS, after.points, strict=True)
        if component.code != "nps"
    ] == [
        points
        for component, points in zip(COMPONENTS, before.points, strict=True)
        if component.code != "nps"
    ]


def test_nothing_known_is_no_score_and_no_impact() -> None:
    result = score(Inputs(arr=0))
    assert (result.value, result.bucket, result.coverage) == (None, None, 0)
    assert with_impact(everything(result)) == []


def test_a_neutral_account_has_no_factor_with_an_impact() -> None:
    middle = Inputs(
        arr=0,
        seats_purchased=2,
        active_users=1,
        feature_x_adoption=0.5,
        weekly_active_pct=0.5,
        session_minutes=22.5,
        nps=0,
        days_since_review=60,
        tickets_last_30d=15,
    )
    assert score(middle).value == 50
    assert with_impact(everything(score(middle))) == []


@pytest.mark.parametrize(
    ("value", "bucket"),
    [
        (75.0, "Green"),
        (74.999999, "Amber"),
        (50.0, "Amber"),
        (49.999999, "Red"),
        (0.0, "Red"),
        (100.0, "Green"),
    ],
)
def test_buckets_are_cut_on_the_unrounded_score(value: float, bucket: str) -> None:
    assert bucket_of(value) == bucket


def test_use_above_all_seats_counts_as_all() -> None:
    assert score(WORKED._replace(active_users=150)).points[0] == 20


@pytest.mark.parametrize(
    ("phase", "days", "points"),
    [
        (None, 10, None),
        (True, None, None),
        (True, 31, 0),
        (True, 30, 5),
        (False, None, 5),
        (False, 90, 5),
    ],
)
def test_an_onboarding_is_late_beyond_thirty_days(
    phase: bool | None, days: int | None, points: float | None
) -> None:
    assert (
        score(WORKED._replace(onboarding_phase=phase, time_to_value_days=days)).points[-1] == points
    )


@pytest.mark.parametrize(
    ("arr", "opportunity", "expected"),
    [
        (100_000, 10_000, 2),
        (100_000, 50_000, 10),
        (100_000, 90_000, 10),
        (0, 10_000, 0),
        (100_000, 0, 0),
    ],
)
def test_an_opportunity_adds_up_to_ten_points(
    arr: float, opportunity: float, expected: float
) -> None:
    assert score(WORKED._replace(arr=arr, expansion_oppty_dollar=opportunity)).adjustments[
        0
    ] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("days", "active", "pressed"),
    [
        (0, 49, True),
        (60, 49, True),
        (61, 49, False),
        (-1, 49, False),
        (30, 50, False),
        (30, None, False),
    ],
)
def test_a_near_renewal_presses_when_under_half_of_the_seats_are_used(
    days: int, active: int | None, pressed: bool
) -> None:
    assert score(WORKED._replace(days_to_renewal=days, active_users=active)).adjustments[1] == (
        -5 if pressed else 0
    )


def test_a_score_beyond_0_or_100_is_clamped_by_a_factor_of_its_own() -> None:
    best = Inputs(
        arr=1, feature_x_adoption=1, weekly_active_pct=1, nps=100, expansion_oppty_dollar=1
    )
    worst = Inputs(
        arr=1, seats_purchased=10, active_users=0, feature_x_adoption=0, days_to_renewal=1
    )
    assert (score(best).value, score(best).adjustments) == (100, (10, 0, -10))
    assert (score(worst).value, score(worst).adjustments) == (0, (0, -5, 5))


def as_stored(numbers: Any) -> str:
    return format_numbers(numbers).replace(".0,", ",").replace(".0}", "}")


@given(INPUTS)
def test_factors_as_json_are_the_factors(inputs: Inputs) -> None:
    result = score(inputs)
    values, points, adjustments = map(as_stored, (result.values, result.points, result.adjustments))
    for limit, expected in ((None, everything(result)), (5, with_impact(everything(result))[:5])):
        found = json.loads(factors_json(values, points, adjustments, limit))
        assert [factor["code"] for factor in found] == [factor.code for factor in expected]
        for factor, right in zip(found, expected, strict=True):
            assert list(factor) == list(right._fields)
            assert factor == {
                name: pytest.approx(value, rel=1e-11, abs=1e-11)
                if isinstance(value, float)
                else value
                for name, value in right._asdict().items()
            }


def test_what_was_never_scored_has_no_factors() -> None:
    assert factors_json("{}", "{}", "{}") == factors_json("{}", "{}", "{}", 5) == "[]"
