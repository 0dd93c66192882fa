"""Reads accounts, one or a page of them, as JSON that PostgreSQL generates."""

from datetime import date
from typing import Final, NamedTuple

from psycopg2.extensions import cursor

from service.database.connection import Database, Rows
from service.queries import pagination
from service.queries.filters import Filter
from service.queries.numbers import ISO_UTC_FORMAT, rounded_score_sql
from service.queries.pagination import Count, Order, Sort
from service.scoring.factors import SHOWN_IN_LISTS, factors_json

_ACCOUNT: Final = f"""
        a.id, a.name, a.external_id, trim_scale(a.arr) AS arr, a.segment, a.industry, a.region,
        a.cs_owner, a.renewal_date, a.qbr_last_date, a.active_users, a.seats_purchased,
        a.feature_x_adoption,
        a.weekly_active_pct, a.time_to_value_days, a.tickets_last_30d, a.critical_tickets_90d,
        a.sla_breaches_90d, a.nps, a.onboarding_phase,
        trim_scale(a.expansion_oppty_dollar) AS expansion_oppty_dollar, a.renewal_risk,
        {rounded_score_sql("h.score")} AS health_score, h.bucket AS health_bucket,
        h.coverage AS health_coverage,
        to_char(a.created_at AT TIME ZONE 'UTC', {ISO_UTC_FORMAT}) AS created_at,
        to_char(a.updated_at AT TIME ZONE 'UTC', {ISO_UTC_FORMAT}) AS updated_at
"""
"""The columns of an account, in the order of its JSON."""

_ROW: Final = f"""
    (SELECT row_to_json(account)::text FROM (SELECT {_ACCOUNT}) account),
    h.component_values::text, h.component_points::text, h.adjustments::text
"""

_JOINED: Final = "accounts a JOIN account_health h ON h.account_id = a.id"
_ONE: Final = f"SELECT scores_as_of, {_ROW} FROM {_JOINED} CROSS JOIN upkeep WHERE a.id = %(id)s"


class Page(NamedTuple):
    """The exact number of matching accounts, the page as a JSON array, and the scores' day."""

    total: int
    accounts: str
    scores_as_of: date


def find(database: Database, account_id: int) -> str | None:
    """Return the account as a JSON object with all of its factors, or None."""
    rows = database.read(_ONE, {"id": account_id})
    return _dated(*rows[0]) if rows else None


def one(statements: cursor, account_id: int) -> str | None:
    """The same as `find`, in an open transaction."""
    statements.execute(_ONE, {"id": account_id})
    rows = statements.fetchall()
    return _dated(*rows[0]) if rows else None


def page(database: Database, wanted: Filter, *, sort: Sort, number: int, size: int) -> Page:
    """Return page `number` (from 1) and the exact total, both of one snapshot.

    Unknown values come last in either direction, and equal values by id.
    """
    order, skip = Order.of(sort), (number - 1) * size

    def work(rows: Rows) -> Page:
        counting, values = pagination.count_statement(wanted, order, skip)
        scores_as_of, *counts = rows(
            f"SELECT scores_as_of, counted.* FROM upkeep, ({counting}) counted", values
        )[0]
        count = Count(*counts)
        ids_statement = pagination.ids_statement(wanted, order, count, skip, size)
        if ids_statement is None:
            return Page(count.total, "[]", scores_as_of)
        ids, values = ids_statement
        statement = f"""
            WITH page AS MATERIALIZED ({ids})
            SELECT {_ROW} FROM page JOIN accounts a USING (id)
            JOIN account_health h ON h.account_id = a.id {order.sql()}
        """
        accounts = [_with_factors(*row, limit=SHOWN_IN_LISTS) for row in rows(statement, values)]
        return Page(count.total, f"[{','.join(accounts)}]", scores_as_of)

    return database.snapshot(work)


def _dated(scores_as_of: date, account: str, *arrays: str) -> str:
    """Return an account with all of its factors and the day of its score."""
    return f'{_with_factors(account, *arrays)[:-1]},"scores_as_of":"{scores_as_of}"}}'


def _with_factors(
    account: str, values: str, points: str, adjustments: str, *, limit: int | None = None
) -> str:
    factors = factors_json(values, points, adjustments, limit)
    return f'{account[:-1]},"latest_health_factors":{factors}}}'
