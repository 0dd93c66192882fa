"""What an account's score is made of."""

from typing import NamedTuple

from service.database.connection import Database
from service.queries.numbers import parse_numbers
from service.scoring import Factor, factors


class Scored(NamedTuple):
    """`coverage` is 0..1; the factors come the weightiest first, none before the first scoring."""

    coverage: float
    factors: list[Factor]


def scored(coverage: float, values: str, points: str, adjustments: str) -> Scored:
    """From the columns of `account_health`, its arrays as PostgreSQL writes them."""
    return Scored(
        coverage,
        factors(
            parse_numbers(values),
            parse_numbers(points),
            [number or 0.0 for number in parse_numbers(adjustments)],
        ),
    )


def of_account(database: Database, account_id: int) -> Scored | None:
    rows = database.read(
        "SELECT coverage, component_values::text, component_points::text, adjustments::text FROM account_health WHERE account_id = %(id)s",
        {"id": account_id},
    )
    return scored(*rows[0]) if rows else None
