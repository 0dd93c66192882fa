"""The current day in the time zone of the portfolio, and the current time in UTC.

The time zones of the function's and the database's machines do not matter.
"""

from datetime import UTC, date, datetime, time, timedelta, tzinfo


def utc_now() -> datetime:
    """Return the current time. All code that depends on it calls this function."""
    return datetime.now(UTC)


def today(zone: tzinfo = UTC, *, ahead: timedelta = timedelta()) -> date:
    """Return the day in a time zone, `ahead` of the current time."""
    return (utc_now() + ahead).astimezone(zone).date()


def midnight(day: date, zone: tzinfo) -> datetime:
    """Return the beginning of a day in a time zone, as a time in UTC.

    Where daylight saving skips midnight, the day begins at the change; where it repeats midnight,
    at the first one.
    """
    return datetime.combine(day, time(), zone).astimezone(UTC)


def now() -> str:
    """Return the current time as ISO 8601 with `Z`."""
    return iso_utc(utc_now())


def iso_utc(time: datetime) -> str:
    """Return an aware time as ISO 8601 in UTC, with microseconds and `Z`."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
