"""Conversions of numbers and times between PostgreSQL, Python and JSON."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

ISO_UTC_FORMAT: Final = """'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'"""
"""The `to_char` pattern of an ISO 8601 timestamp, for a timestamp that is in UTC already."""


def parse_numbers(array: str) -> list[float | None]:
    """Parse PostgreSQL's text of an array of numbers: `{1.5,NULL}` → `[1.5, None]`."""
    return (
        [None if item == "NULL" else float(item) for item in array[1:-1].split(",")]
        if len(array) > 2
        else []
    )


def format_numbers(numbers: Iterable[float | None]) -> str:
    """Format an array of numbers for PostgreSQL: `[1.5, None]` → `{1.5,NULL}`."""
    return "{" + ",".join("NULL" if number is None else repr(number) for number in numbers) + "}"


def rounded_score_sql(score: str) -> str:
    """The SQL expression that rounds the score `score`, an SQL expression too, to one decimal."""
    return f"round(({score})::numeric, 1)::double precision"


def money(amount: Decimal) -> int | float:
    """Convert dollars to a number for JSON: an integer where there are no cents."""
    return int(amount) if amount == int(amount) else float(amount)
