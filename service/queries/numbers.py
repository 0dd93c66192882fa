"""PostgreSQL's text form of `double precision[]`, read and written without the driver's slower way."""

from collections.abc import Iterable


def parse_numbers(array: str) -> list[float | None]:
    """`{1.5,NULL}` → `[1.5, None]`"""
    return [None if item == "NULL" else float(item) for item in array[1:-1].split(",")] if len(array) > 2 else []


def format_numbers(numbers: Iterable[float | None]) -> str:
    """`[1.5, None]` → `{1.5,NULL}`"""
    return "{" + ",".join("NULL" if number is None else repr(number) for number in numbers) + "}"
