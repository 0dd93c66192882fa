"""Reads the factors of an account's stored score."""

from typing import NamedTuple

from service.database.connection import Database
from service.queries.numbers import parse_numbers
from service.scoring import Factor, factors


class Scored(NamedTuple):
    """`coverage` is 0..1; `factors` are sorted by impact, and empty before the first scoring."""

    coverage: float
    factors: list[Factor]


def scored(coverage: float, values: str, points: str, adjustments: str) -> Scored:
    """Convert the columns of `account_health`, its arrays as PostgreSQL's text."""
    return Scored(
        coverage,
        factors(
            parse_numbers(values),
            parse_numbers(points),
            [number or 0.0 for number in parse_numbers(adjustments)],
        ),
    )


def of_account(database: Database, account_id: int) -> Scored | None:
    """Return the stored score's factors, or None when there is no such account."""
    rows = database.read(
        "SELECT coverage, component_values::text, component_points::text, adjustments::text"
        " FROM account_health WHERE account_id = %(id)s",
        {"id": account_id},
    )
    return scored(*rows[0]) if rows else None
