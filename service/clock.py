"""The current time, in UTC whatever the time zone of the function and the database."""

from datetime import UTC, date, datetime


def today() -> date:
    return datetime.now(UTC).date()


def now() -> str:
    """Return the current time as ISO 8601 with `Z`."""
    return iso_utc(datetime.now(UTC))


def iso_utc(time: datetime) -> str:
    """Return an aware time as ISO 8601 in UTC, with microseconds and `Z`."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
