"""Which day it is, and when it begins, in every time zone."""

from datetime import UTC, date, datetime, timedelta

import pytest

from service import clock
from service.settings import Settings, SettingsError
from tests.service.lambda_api import api

ZONES = [
    # zone, day, its first second in UTC, its hours
    ("UTC", date(2026, 3, 29), "2026-03-29T00:00:00Z", 24),
    ("Europe/Berlin", date(2026, 3, 28), "2026-03-27T23:00:00Z", 24),
    ("Europe/Berlin", date(2026, 3, 29), "2026-03-28T23:00:00Z", 23),
    ("Europe/Berlin", date(2026, 10, 25), "2026-10-24T22:00:00Z", 25),
    ("America/New_York", date(2026, 3, 8), "2026-03-08T05:00:00Z", 23),
    ("America/New_York", date(2026, 11, 1), "2026-11-01T04:00:00Z", 25),
    ("Pacific/Kiritimati", date(2027, 1, 1), "2026-12-31T10:00:00Z", 24),
    ("Pacific/Pago_Pago", date(2026, 12, 31), "2026-12-31T11:00:00Z", 24),
    ("Asia/Kolkata", date(2026, 6, 1), "2026-05-31T18:30:00Z", 24),
    ("Australia/Lord_Howe", date(2026, 4, 5), "2026-04-04T13:00:00Z", 24.5),
    # daylight saving begins at midnight, which is skipped, and ends by repeating it
    ("America/Havana", date(2026, 3, 8), "2026-03-08T05:00:00Z", 23),
    ("America/Havana", date(2026, 11, 1), "2026-11-01T04:00:00Z", 25),
]


@pytest.mark.parametrize(("name", "day", "begins", "hours"), ZONES)
def test_a_day_begins_at_midnight_of_the_zone_and_ends_with_its_last_microsecond(
    name: str, day: date, begins: str, hours: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    zone = Settings.from_environment({"TIME_ZONE": name}).time_zone
    first = clock.midnight(day, zone)
    end = clock.midnight(day + timedelta(days=1), zone)
    assert first == datetime.fromisoformat(begins)
    assert end - first == timedelta(hours=hours)
    microsecond = timedelta(microseconds=1)
    for at, expected in (
        (first - microsecond, day - timedelta(days=1)),
        (first, day),
        (end - microsecond, day),
        (end, day + timedelta(days=1)),
    ):
        monkeypatch.setattr(clock, "utc_now", lambda at=at: at)
        assert clock.today(zone) == expected, at


def test_without_a_time_zone_it_is_utc() -> None:
    assert Settings.from_environment({}).time_zone is UTC
    assert Settings().time_zone is UTC


@pytest.mark.parametrize(
    "name", ["europe/berlin", "CEST", "+01:00", "../zones", "localtime", "posix/UTC", " UTC", "x"]
)
def test_a_name_that_is_no_iana_time_zone_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=r"^TIME_ZONE is .*such as Europe/Berlin") as raised:
        Settings.from_environment({"TIME_ZONE": name})
    assert raised.value.variable == "TIME_ZONE"


@pytest.mark.parametrize(
    ("name", "days"),
    [("Pacific/Kiritimati", 2), ("Asia/Kolkata", 1), ("UTC", 1), ("America/New_York", 1)],
)
def test_a_what_if_score_counts_days_in_the_zone(
    name: str, days: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "utc_now", lambda: datetime(2026, 6, 1, 12, tzinfo=UTC))
    zone = Settings.from_environment({"TIME_ZONE": name}).time_zone
    function = api(time_zone=zone)
    scored = function("POST", "/scoring/what-if", body='{"qbr_last_date": "2026-05-31"}').json
    factors = {factor["code"]: factor["value"] for factor in scored["factors"]}
    assert factors["review_recency"] == days
