"""The tables, declared: what Alembic compares a database with. Requests never import this; they run the SQL of `queries/`.

The checks are the last line: whatever way a row comes in, one that could break a later read is refused by the database itself.
"""

from datetime import date, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Numeric,
    String,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from service import bounds, columns
from service.scoring import rules

DOLLARS = Numeric(15, 2)
NUMBERS = ARRAY(Double)
LABEL = String(20)
POISON = "'{NaN,Infinity,-Infinity}'"


def _one_of(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


def _clean(column: str) -> str:
    """Text that says something, without control characters; null is the one way to say that it is unknown."""
    return f"{column} <> '' AND {column} !~ '[{bounds.CONTROL_CHARACTERS}]'"


def _readable(column: str) -> str:
    """Years that ISO 8601 writes with four digits; not the database's own infinities."""
    return f"{column} BETWEEN DATE '0001-01-01' AND DATE '9999-12-31'"


def _conditions(given: tuple[columns.Column, ...]) -> dict[str, str]:
    """By column, what its values have to fulfil."""
    return {column.name: condition for column in given if (condition := _condition(column))}


def _condition(column: columns.Column) -> str | None:
    match column.kind:
        case "text":
            return _clean(column.name)
        case "choice":
            return _one_of(column.name, column.choices)
        case "date":
            return _readable(column.name)
        case "integer" if column.most == bounds.INT4_MAX:  # the type's own end
            return f"{column.name} >= {column.least}"
        case "integer" | "dollars" | "ratio":
            return f"{column.name} BETWEEN {column.least} AND {column.most}"
        case "number":
            return f"{column.name} >= {column.least} AND {column.name} < 'Infinity'"
        case "flag":
            return None


def _checks(table: str, conditions: dict[str, str]) -> tuple[CheckConstraint, ...]:
    return tuple(CheckConstraint(condition, name=f"{table}_{name}_valid") for name, condition in conditions.items())


def _key() -> Column[Any]:
    return Column(BigInteger, Identity(), primary_key=True)


def _owner(**options: Any) -> Column[Any]:
    return Column(BigInteger, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False, **options)


def _moment() -> Column[Any]:
    return Column(DateTime(timezone=True), nullable=False, server_default=func.now())


def _numbers() -> Column[Any]:
    return Column(NUMBERS, nullable=False, server_default=text("'{}'"))


def _score_checks(table: str, bucket: str) -> tuple[CheckConstraint, ...]:
    return _checks(
        table,
        {
            "score": f"score BETWEEN {rules.SCORE_MIN:.0f} AND {rules.SCORE_MAX:.0f} AND (score IS NULL) = ({bucket} IS NULL)",
            bucket: _one_of(bucket, tuple(name for name, _ in rules.BUCKETS)),
            "coverage": "coverage BETWEEN 0 AND 1",
            "factors": f"NOT (component_values && {POISON} OR component_points && {POISON} OR adjustments && {POISON})"
            " AND cardinality(component_values) = cardinality(component_points)",
        },
    )


class Account(SQLModel, table=True):
    """One customer. Null is unknown, which is not zero."""

    __tablename__: ClassVar[Any] = "accounts"
    __table_args__: ClassVar[Any] = (
        UniqueConstraint("name", name="accounts_name_key"),
        Index(
            "accounts_opportunity_idx",
            text("expansion_oppty_dollar DESC"),
            "id",
            postgresql_where=text("expansion_oppty_dollar > 0"),
        ),
        *_checks(
            "accounts",
            _conditions(columns.ACCOUNT_COLUMNS),
        ),
    )

    id: int = Field(sa_column=_key())
    name: str = Field(sa_type=String(bounds.NAME_LENGTH))
    arr: float = Field(sa_type=DOLLARS)
    segment: str = Field(sa_type=LABEL)
    industry: str | None = Field(sa_type=String(bounds.INDUSTRY_LENGTH))
    region: str | None = Field(sa_type=String(bounds.REGION_LENGTH))
    cs_owner: str | None = Field(sa_type=String(bounds.OWNER_LENGTH))
    renewal_date: date | None
    qbr_last_date: date | None
    active_users: int | None
    seats_purchased: int | None
    feature_x_adoption: float | None = Field(sa_type=Double)
    weekly_active_pct: float | None = Field(sa_type=Double)
    time_to_value_days: int | None
    tickets_last_30d: int | None
    critical_tickets_90d: int | None
    sla_breaches_90d: int | None
    nps: int | None
    onboarding_phase: bool | None
    expansion_oppty_dollar: float = Field(sa_column=Column(DOLLARS, nullable=False, server_default=text("0")))
    renewal_risk: str | None = Field(sa_type=LABEL)
    created_at: datetime = Field(sa_column=_moment())
    updated_at: datetime = Field(sa_column=_moment())


class AccountHealth(SQLModel, table=True):
    """The score of an account, one row each (a trigger adds it), beside the account so that scoring again rewrites little.

    The arrays hold what `service.scoring.Score` does, in the order of its rules, null where unknown; empty before the first scoring.
    """

    __tablename__: ClassVar[Any] = "account_health"
    __table_args__: ClassVar[Any] = _score_checks("account_health", "bucket")

    account_id: int = Field(sa_column=_owner(primary_key=True, autoincrement=False))
    score: float | None = Field(sa_type=Double)
    bucket: str | None = Field(sa_type=LABEL)
    coverage: float = Field(sa_column=Column(Double, nullable=False, server_default=text("0")))
    component_values: list[float | None] = Field(sa_column=_numbers())
    component_points: list[float | None] = Field(sa_column=_numbers())
    adjustments: list[float] = Field(sa_column=_numbers())
    calculated_at: datetime | None = Field(sa_type=DateTime(timezone=True))  # pyright: ignore[reportArgumentType]  # takes instances too


class DailyMetric(SQLModel, table=True):
    """What an account did on one day."""

    __tablename__: ClassVar[Any] = "account_metrics_daily"
    __table_args__: ClassVar[Any] = (
        UniqueConstraint("account_id", "date", name="account_metrics_daily_account_id_date_key"),
        *_checks(
            "account_metrics_daily",
            _conditions(columns.DAY_COLUMNS),
        ),
    )

    id: int = Field(sa_column=_key())
    account_id: int = Field(sa_column=_owner())
    date: date
    logins: int | None
    events: int | None
    feature_x_events: int | None
    errors: int | None
    ticket_backlog: int | None
    avg_session_min: float | None = Field(sa_type=Double)


class HealthSnapshot(SQLModel, table=True):
    """What an account's score was; a new row only when the score or its factors changed."""

    __tablename__: ClassVar[Any] = "health_snapshots"
    __table_args__: ClassVar[Any] = (
        Index("health_snapshots_account_id_calculated_at_idx", "account_id", "calculated_at"),
        *_score_checks("health_snapshots", "risk_label"),
    )

    id: int = Field(sa_column=_key())
    account_id: int = Field(sa_column=_owner())
    calculated_at: datetime = Field(sa_column=_moment())
    score: float | None = Field(sa_type=Double)
    risk_label: str | None = Field(sa_type=LABEL)
    coverage: float = Field(sa_type=Double)
    component_values: list[float | None] = Field(sa_type=NUMBERS)
    component_points: list[float | None] = Field(sa_type=NUMBERS)
    adjustments: list[float] = Field(sa_type=NUMBERS)


class Insight(SQLModel, table=True):
    """What a model said of an account, or of all together where `account_id` is null: the newest of each, so that they stay few."""

    __tablename__: ClassVar[Any] = "insights"
    __table_args__: ClassVar[Any] = (
        UniqueConstraint("account_id", name="insights_account_id_key", postgresql_nulls_not_distinct=True),
        *_checks("insights", {"content": "jsonb_typeof(content) = 'object' AND octet_length(content::text) <= 262144"}),
    )

    id: int = Field(sa_column=_key())
    account_id: int | None = Field(sa_column=Column(BigInteger, ForeignKey("accounts.id", ondelete="CASCADE")))
    data_version: str = Field(sa_type=String(64))
    model: str = Field(sa_type=String(bounds.MODEL_LENGTH))
    content: dict[str, Any] = Field(sa_type=JSONB)
    generated_at: datetime = Field(sa_column=_moment())


METADATA = SQLModel.metadata
