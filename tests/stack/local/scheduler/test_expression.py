"""Expressions of EventBridge Scheduler: examples of its documentation, daylight saving, errors."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stack.local.scheduler.expression import parse

SINCE = datetime(2026, 1, 1, tzinfo=UTC)  # a Thursday
BERLIN = "Europe/Berlin"


def times(
    expression: str, number: int, *, time_zone: str = "UTC", after: datetime = SINCE
) -> list[str]:
    """Return the next times on the clock of the zone; fewer where there are no more."""
    next_time = parse(expression, time_zone, SINCE)
    found: list[str] = []
    time: datetime | None = after
    while len(found) < number and time is not None and (time := next_time(time)) is not None:
        found.append(f"{time.astimezone(ZoneInfo(time_zone)):%a %Y-%m-%d %H:%M%z}"[:-5])
    return found


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        # EventBridge Scheduler User Guide, Schedule types; EventBridge User Guide, cron expressions
        ("cron(0 10 * * ? *)", ["Thu 2026-01-01 10:00", "Fri 2026-01-02 10:00"]),
        ("cron(15 12 * * ? *)", ["Thu 2026-01-01 12:15", "Fri 2026-01-02 12:15"]),
        ("cron(0 18 ? * MON-FRI *)", ["Thu 2026-01-01 18:00", "Fri 2026-01-02 18:00",
                                      "Mon 2026-01-05 18:00"]),
        ("cron(0 8 1 * ? *)", ["Thu 2026-01-01 08:00", "Sun 2026-02-01 08:00"]),
        ("cron(0/15 * * * ? *)", ["Thu 2026-01-01 00:15", "Thu 2026-01-01 00:30"]),
        ("cron(0/5 8-17 ? * MON-FRI *)", ["Thu 2026-01-01 08:00", "Thu 2026-01-01 08:05"]),
        ("cron(0 9 ? * 2#1 *)", ["Mon 2026-01-05 09:00", "Mon 2026-02-02 09:00"]),
        ("cron(15 10 ? * 6L 2026-2027)", ["Fri 2026-01-30 10:15", "Fri 2026-02-27 10:15"]),
        ("cron(15 10 ? * 6L 2022-2023)", []),
        ("rate(5 minutes)", ["Thu 2026-01-01 00:05", "Thu 2026-01-01 00:10"]),
        ("rate(1 hour)", ["Thu 2026-01-01 01:00"]),
        ("rate(7 days)", ["Thu 2026-01-08 00:00"]),
        ("at(2026-11-20T13:00:00)", ["Fri 2026-11-20 13:00"]),
        # days of the week count from Sunday, which is 1
        ("cron(0 0 ? * 1,7 *)", ["Sat 2026-01-03 00:00", "Sun 2026-01-04 00:00"]),
        ("cron(0 0 ? * 6-7 *)", ["Fri 2026-01-02 00:00", "Sat 2026-01-03 00:00"]),
        ("cron(0 0 ? * 2/2 *)", ["Fri 2026-01-02 00:00", "Mon 2026-01-05 00:00",
                                 "Wed 2026-01-07 00:00"]),
        ("cron(0 0 ? * TUE-THU/2 *)", ["Tue 2026-01-06 00:00", "Thu 2026-01-08 00:00"]),
        ("cron(0 0 ? * L *)", ["Sat 2026-01-03 00:00"]),
        ("cron(0 0 ? * FRI#3 *)", ["Fri 2026-01-16 00:00"]),
        ("cron(0 0 ? JAN,jul fril *)", ["Fri 2026-01-30 00:00", "Fri 2026-07-31 00:00"]),
        # ends of months, leap days and years
        ("cron(0 0 L * ? *)", ["Sat 2026-01-31 00:00", "Sat 2026-02-28 00:00"]),
        ("cron(0 0 LW * ? *)", ["Fri 2026-01-30 00:00", "Fri 2026-02-27 00:00"]),
        ("cron(0 0 29 2 ? *)", ["Tue 2028-02-29 00:00", "Sun 2032-02-29 00:00"]),
        ("cron(0 0 29 2 ? 2026,2027)", []),
        ("cron(0 0 1 1 ? 2027/4)", ["Fri 2027-01-01 00:00", "Wed 2031-01-01 00:00"]),
        ("cron(0 0 1 1 ? 2199)", ["Tue 2199-01-01 00:00"]),
        ("cron(5 0-3 * * ? *)", ["Thu 2026-01-01 00:05", "Thu 2026-01-01 01:05",
                                 "Thu 2026-01-01 02:05", "Thu 2026-01-01 03:05",
                                 "Fri 2026-01-02 00:05"]),
    ],
)  # fmt: skip
def test_an_expression_has_these_times(expression: str, expected: list[str]):
    assert times(expression, max(len(expected), 1)) == expected


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("cron(5 0 * * * *)", "needs '?'"),
        ("cron(5 0 ? * ? *)", "needs '?'"),
        ("cron(? 0 1 * * *)", "needs '?'"),
        ("cron(0 0 1 * ?,2 *)", "needs '?'"),
        ("cron(5 0 * * ?)", "has 5 fields and needs six"),
        ("cron(61 0 * * ? *)", "bad minute"),
        ("cron(0 24 * * ? *)", "bad hour"),
        ("cron(0 0 3W * ? *)", "W is not supported locally"),
        ("cron(0 0 30 2 ? *)", "bad day-of-month"),
        ("cron(0 0 ? * 0 *)", "bad day-of-week"),
        ("cron(0 0 ? * 8 *)", "bad day-of-week"),
        ("cron(0 0 ? * MON-FOO *)", "bad day-of-week"),
        ("cron(0 0 ? * 2#6 *)", "bad day-of-week"),
        ("cron(0 0 * * ? 1969)", "bad year"),
        ("cron(0 0 * * ? 2027-2026)", "bad year"),
        ("rate(0 minutes)", "needs a number and a unit"),
        ("rate(5 weeks)", "needs a number and a unit"),
        ("at(2026-02-30T00:00:00)", "needs a time like"),
        ("5 0 * * *", "is not cron"),
    ],
)
def test_a_malformed_expression_is_refused_with_what_it_needs(expression: str, reason: str):
    with pytest.raises(ValueError, match=r"cron|rate|at") as refused:
        parse(expression, "UTC", SINCE)
    assert reason in str(refused.value)
    assert expression.partition(")")[0] in str(refused.value)


def test_an_unknown_time_zone_is_refused():
    with pytest.raises(ValueError, match="'Europe/Berlni' is not the name of a time zone"):
        parse("rate(1 day)", "Europe/Berlni", SINCE)


def test_a_time_that_daylight_saving_skips_is_skipped():
    before = datetime(2026, 3, 28, 12, tzinfo=UTC)
    assert times("cron(30 2 * * ? *)", 2, time_zone=BERLIN, after=before) == [
        "Mon 2026-03-30 02:30",
        "Tue 2026-03-31 02:30",
    ]
    assert times("cron(5 0-3 * * ? *)", 4, time_zone=BERLIN, after=before) == [
        "Sun 2026-03-29 00:05",
        "Sun 2026-03-29 01:05",
        "Sun 2026-03-29 03:05",
        "Mon 2026-03-30 00:05",
    ]


def test_a_time_that_occurs_twice_counts_once_whenever_one_asks():
    before = datetime(2026, 10, 24, 12, tzinfo=UTC)
    expected = ["Sun 2026-10-25 02:30", "Mon 2026-10-26 02:30"]
    assert times("cron(30 2 * * ? *)", 2, time_zone=BERLIN, after=before) == expected
    next_time = parse("cron(30 2 * * ? *)", BERLIN, SINCE)
    first = next_time(before)
    assert first is not None
    assert first == datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "the first of the two"
    for minutes in (0, 29, 31, 59, 61):  # before, during and after the second
        later = next_time(first + timedelta(minutes=minutes))
        assert later == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)


def test_a_zone_whose_days_begin_at_one_has_a_night_without_midnight():
    before = datetime(2026, 4, 23, 12, tzinfo=UTC)  # Cairo skips 00:00 to 01:00 on 2026-04-24
    assert times("cron(5 0-3 * * ? *)", 2, time_zone="Africa/Cairo", after=before) == [
        "Fri 2026-04-24 01:05",
        "Fri 2026-04-24 02:05",
    ]


def test_a_day_of_a_rate_has_24_hours_and_the_first_time_is_the_creation():
    since = datetime(2026, 3, 28, 11, tzinfo=UTC)
    next_time = parse("rate(1 day)", BERLIN, since)
    assert next_time(since - timedelta(microseconds=1)) == since
    assert next_time(since) == since + timedelta(hours=24)
    assert next_time(since + timedelta(hours=25)) == since + timedelta(hours=48)


instants = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)).map(
    lambda time: time.replace(tzinfo=UTC)
)
zones = st.sampled_from(
    ["UTC", BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Africa/Cairo"]
)
numbers = st.integers(0, 23)


@settings(deadline=None, database=None)
@given(instants, zones, st.integers(0, 59), numbers, numbers)
def test_the_times_are_all_those_of_the_local_clock_once_each_in_order(
    after: datetime, time_zone: str, minute: int, one: int, other: int
):
    low, high = sorted((one, other))
    next_time = parse(f"cron({minute} {low}-{high} * * ? *)", time_zone, SINCE)
    zone = ZoneInfo(time_zone)
    end = after + timedelta(days=3)
    found: list[datetime] = []
    time = next_time(after)
    while time is not None and time <= end:
        found.append(time)
        time = next_time(time)
    # each minute in UTC, and of those with the same local time the first
    minutes = [
        after.replace(second=0, microsecond=0) + timedelta(minutes=step)
        for step in range(-120, 3 * 1440 + 1)
    ]
    first: dict[datetime, datetime] = {}
    for instant in minutes:
        local = instant.astimezone(zone).replace(tzinfo=None)
        if local.minute == minute and low <= local.hour <= high:
            first.setdefault(local, instant)
    assert found == [instant for instant in first.values() if after < instant <= end]
    assert all(before < later for before, later in pairwise(found))
