"""What day it is: in UTC, wherever the function or the database runs."""

from datetime import UTC, date, datetime


def today() -> date:
    return datetime.now(UTC).date()


def now() -> str:
    """ISO 8601 with `Z`."""
    return iso_utc(datetime.now(UTC))


def iso_utc(time: datetime) -> str:
    """An aware time as ISO 8601 with `Z`, to the microsecond."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
