"""What day it is: in UTC, wherever the function or the database runs."""

from datetime import UTC, date, datetime


def today() -> date:
    return datetime.now(UTC).date()


def now() -> str:
    """ISO 8601 with `Z`."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
