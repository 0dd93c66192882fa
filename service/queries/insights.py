"""Reads the facts for insights, and stores the insights that a model wrote.

At most one insight is stored per account and one of the portfolio, the newest.
"""

import json
from collections.abc import Sequence
from datetime import date
from typing import Any, Final, NamedTuple

from psycopg2.errors import ForeignKeyViolation
from psycopg2.extensions import cursor

from service.database.connection import Database
from service.insights.facts import AccountFacts, PortfolioFacts, TopAccount, renewal
from service.queries import portfolio
from service.queries.factors import scored
from service.queries.numbers import ISO_UTC_FORMAT
from service.scoring import reasons

MOST: Final = 5
"""Accounts in each of the two lists of a portfolio insight, risks and opportunities."""

_STORED: Final = f"""
    i.data_version, i.model, i.content::text,
    to_char(i.generated_at AT TIME ZONE 'UTC', {ISO_UTC_FORMAT})
"""

_HEALTH: Final = """
    h.score, h.bucket, h.coverage, h.component_values::text, h.component_points::text,
    h.adjustments::text
"""

_ACCOUNT: Final = "".join([
    "SELECT scores_as_of, a.name, a.segment, a.industry, a.region, a.arr::double precision,"
    " a.expansion_oppty_dollar::double precision, a.renewal_date, ", _HEALTH, ", ", _STORED,
    " FROM accounts a JOIN account_health h ON h.account_id = a.id CROSS JOIN upkeep"
    " LEFT JOIN insights i ON i.account_id = a.id WHERE a.id = %(id)s",
])  # fmt: skip

_TOP_COLUMNS: Final = f"""
    a.id, a.name, a.segment, a.arr::double precision, a.expansion_oppty_dollar::double precision,
    {_HEALTH}
    FROM accounts a JOIN account_health h ON h.account_id = a.id
"""

_TOP: Final = f"""
    (SELECT 'risk', {_TOP_COLUMNS}
    WHERE h.bucket IN ('Amber', 'Red')
    ORDER BY a.arr DESC, a.id LIMIT %(most)s)
    UNION ALL
    (SELECT 'opportunity', {_TOP_COLUMNS}
    WHERE a.expansion_oppty_dollar > 0
    ORDER BY a.expansion_oppty_dollar DESC, a.id LIMIT %(most)s)
"""

_KEEP: Final = """
    INSERT INTO insights (account_id, data_version, model, content, generated_at)
    VALUES (%(id)s, %(data_version)s, %(model)s, %(content)s, %(generated_at)s)
    ON CONFLICT (account_id) DO UPDATE SET
        data_version = excluded.data_version, model = excluded.model, content = excluded.content,
        generated_at = excluded.generated_at
"""


class Stored(NamedTuple):
    """An insight that `model` wrote from the data of `data_version`.

    `generated_at` is an ISO 8601 timestamp with `Z`.
    """

    data_version: str
    model: str
    content: dict[str, Any]
    generated_at: str


def account(
    database: Database, account_id: int, today: date
) -> tuple[AccountFacts, Stored | None] | None:
    """Return the facts of an account and its stored insight; None when there is no account."""
    rows = database.read(_ACCOUNT, {"id": account_id})
    if not rows:
        return None
    scores_as_of, *row = rows[0]
    name, segment, industry, region, arr, opportunity, due, score, bucket, *health = row[:13]
    known = scored(*health)
    facts = AccountFacts(
        id=account_id,
        name=name,
        segment=segment,
        industry=industry,
        region=region,
        arr=arr,
        opportunity=opportunity,
        renewal_date=due,
        renewal=renewal(due, today),
        score=score,
        bucket=bucket,
        coverage=known.coverage,
        factors=known.factors,
        scores_as_of=scores_as_of,
    )
    return facts, _stored(row[13:])


def all_accounts(database: Database, today: date) -> tuple[PortfolioFacts, Stored | None]:
    """Return the facts of the portfolio and its stored insight."""
    metrics = portfolio.metrics(database, today)
    top = [(row[0], _top(row[1:])) for row in database.read(_TOP, {"most": MOST})]
    stored = database.read(
        " ".join(["SELECT", _STORED, "FROM insights i WHERE i.account_id IS NULL"]), {}
    )
    facts = PortfolioFacts(
        metrics=metrics,
        risks=[found for name, found in top if name == "risk"],
        opportunities=[found for name, found in top if name == "opportunity"],
    )
    return facts, _stored(stored[0]) if stored else None


def keep(database: Database, account_id: int | None, insight: Stored) -> None:
    """Store an insight instead of the one before; `account_id` is None for the portfolio's.

    Does nothing when the account was deleted meanwhile.
    """

    def work(statements: cursor) -> None:
        statements.execute(
            _KEEP, {**insight._asdict(), "id": account_id, "content": json.dumps(insight.content)}
        )

    try:
        database.write(work)
    except ForeignKeyViolation:
        return


def _stored(row: Sequence[Any]) -> Stored | None:
    data_version, model, content, generated_at = row
    return (
        None
        if data_version is None
        else Stored(data_version, model, json.loads(content), generated_at)
    )


def _top(row: tuple[Any, ...]) -> TopAccount:
    account_id, name, segment, arr, opportunity, score, bucket, *health = row
    return TopAccount(
        id=account_id,
        name=name,
        segment=segment,
        arr=arr,
        opportunity=opportunity,
        score=score,
        bucket=bucket,
        reasons=reasons(scored(*health).factors),
    )
