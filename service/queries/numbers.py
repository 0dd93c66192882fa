"""Numbers and times as PostgreSQL writes them, and as clients read them."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

ISO_MOMENT: Final = """'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'"""
"""The pattern of `to_char`, for a time at UTC."""


def parse_numbers(array: str) -> list[float | None]:
    """`{1.5,NULL}` → `[1.5, None]`"""
    return (
        [None if item == "NULL" else float(item) for item in array[1:-1].split(",")]
        if len(array) > 2
        else []
    )


def format_numbers(numbers: Iterable[float | None]) -> str:
    """`[1.5, None]` → `{1.5,NULL}`"""
    return "{" + ",".join("NULL" if number is None else repr(number) for number in numbers) + "}"


def shown(score: str) -> str:
    """SQL of a score as clients see it, with one decimal, from SQL of the unrounded one."""
    return f"round(({score})::numeric, 1)::double precision"


def money(amount: Decimal) -> int | float:
    """Whole dollars stay whole in JSON."""
    return int(amount) if amount == int(amount) else float(amount)
