"""Accounts, one or a page of them, as JSON that PostgreSQL writes itself."""

from typing import Final, NamedTuple

from psycopg2.extensions import cursor

from service.database.connection import Database, Rows
from service.queries import pagination
from service.queries.filters import Filter
from service.queries.numbers import ISO_MOMENT, shown
from service.queries.pagination import Counted, Order, Sort
from service.scoring.factors import SHOWN_IN_LISTS, factors_json

_ACCOUNT: Final = f"""
        a.id, a.name, a.external_id, trim_scale(a.arr) AS arr, a.segment, a.industry, a.region, a.cs_owner, a.renewal_date, a.qbr_last_date,
        a.active_users, a.seats_purchased, a.feature_x_adoption, a.weekly_active_pct, a.time_to_value_days, a.tickets_last_30d,
        a.critical_tickets_90d, a.sla_breaches_90d, a.nps, a.onboarding_phase,
        trim_scale(a.expansion_oppty_dollar) AS expansion_oppty_dollar, a.renewal_risk,
        {shown("h.score")} AS health_score, h.bucket AS health_bucket, h.coverage AS health_coverage,
        to_char(a.created_at AT TIME ZONE 'UTC', {ISO_MOMENT}) AS created_at,
        to_char(a.updated_at AT TIME ZONE 'UTC', {ISO_MOMENT}) AS updated_at
"""
"""The columns of an account, in the order of its JSON."""

_ROW: Final = f"""
    (SELECT row_to_json(account)::text FROM (SELECT {_ACCOUNT}) account),
    h.component_values::text, h.component_points::text, h.adjustments::text
"""

_ONE: Final = f"SELECT {_ROW} FROM accounts a JOIN account_health h ON h.account_id = a.id WHERE a.id = %(id)s"


class Page(NamedTuple):
    """`accounts` is a JSON array."""

    total: int
    accounts: str


def find(database: Database, account_id: int) -> str | None:
    """The account as a JSON object with all of its factors, or None."""
    rows = database.read(_ONE, {"id": account_id})
    return _with_factors(*rows[0]) if rows else None


def one(statements: cursor, account_id: int) -> str | None:
    """The same, in a transaction that is under way."""
    statements.execute(_ONE, {"id": account_id})
    rows = statements.fetchall()
    return _with_factors(*rows[0]) if rows else None


def page(database: Database, wanted: Filter, *, sort: Sort, number: int, size: int) -> Page:
    """Page `number` (from 1) and the exact total, of one snapshot. Unknown values come last in either direction, equal ones by id."""
    order, skip = Order.of(sort), (number - 1) * size

    def work(rows: Rows) -> Page:
        counted = Counted(*rows(*pagination.total(wanted, order, skip))[0])
        chosen = pagination.ids(wanted, order, counted, skip, size)
        if chosen is None:
            return Page(counted.total, "[]")
        ids, values = chosen
        statement = f"""
            WITH chosen AS MATERIALIZED ({ids})
            SELECT {_ROW} FROM chosen JOIN accounts a USING (id) JOIN account_health h ON h.account_id = a.id {order.sql()}
        """
        accounts = [_with_factors(*row, limit=SHOWN_IN_LISTS) for row in rows(statement, values)]
        return Page(counted.total, f"[{','.join(accounts)}]")

    return database.snapshot(work)


def _with_factors(
    account: str, values: str, points: str, adjustments: str, *, limit: int | None = None
) -> str:
    return f'{account[:-1]},"latest_health_factors":{factors_json(values, points, adjustments, limit)}}}'
