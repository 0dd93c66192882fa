"""The tables, declared: what Alembic compares a database with. Requests never import this; they run the SQL of `queries/`.

The checks are the last line: whatever way a row comes in, one that could break a later read is refused by the database itself.
"""

from datetime import date, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    String,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from service.schema import columns, limits
from service.scoring import rules

DOLLARS = Numeric(15, 2)
NUMBERS = ARRAY(Double)
LABEL = String(20)
PLACE = ["segment", "region", "cs_owner"]
"""What lists are filtered by, carried along in the indexes that sort them."""
POISON = "'{NaN,Infinity,-Infinity}'"


def _one_of(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


def _clean(column: str) -> str:
    """Text that says something, without control characters; null is the one way to say that it is unknown."""
    return f"{column} <> '' AND {column} !~ '[{limits.CONTROL_CHARACTERS}]'"


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
        case "integer" if column.most == limits.INT4_MAX:  # the type's own end
            return f"{column.name} >= {column.least}"
        case "integer" | "dollars" | "ratio" | "number":
            return f"{column.name} BETWEEN {column.least} AND {column.most}"
        case "flag":
            return None


def _checks(table: str, conditions: dict[str, str]) -> tuple[CheckConstraint, ...]:
    return tuple(
        CheckConstraint(condition, name=f"{table}_{name}_valid")
        for name, condition in conditions.items()
    )


def _key(*, always: bool = False) -> Column[Any]:
    return Column(BigInteger, Identity(always=always), primary_key=True)


def _owner(**options: Any) -> Column[Any]:
    return Column(
        BigInteger, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False, **options
    )


def _moment(default: Any = None) -> Column[Any]:
    return Column(
        DateTime(timezone=True),
        nullable=False,
        server_default=func.now() if default is None else default,
    )


def _delta() -> Column[Any]:
    return Column(Boolean, nullable=False)


def _sum() -> Column[Any]:
    return Column(Numeric, nullable=False)


def _of_deltas(table: str, *keys: str) -> tuple[Index, ...]:
    return Index(f"{table}_{keys[0]}_idx", keys[0]), Index(
        f"{table}_is_delta_idx", "is_delta", postgresql_where=text("is_delta")
    )


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
        UniqueConstraint("name", name="accounts_name_key", postgresql_include=["id", *PLACE]),
        UniqueConstraint("external_id", name="accounts_external_id_key"),
        Index("accounts_arr_idx", "arr", "id", postgresql_include=PLACE),
        Index("accounts_renewal_date_idx", "renewal_date", "id", postgresql_include=PLACE),
        Index(
            "accounts_renewal_date_desc_idx",
            text("renewal_date DESC"),
            "id",
            postgresql_include=PLACE,
        ),
        Index("accounts_updated_at_idx", "updated_at", "id", postgresql_include=PLACE),
        Index(
            *("accounts_cs_owner_idx", "cs_owner", "name"),
            postgresql_include=["id", "segment", "region", "arr", "renewal_date", "updated_at"],
        ),
        Index(
            "accounts_segment_region_idx",
            "segment",
            "region",
            "name",
            postgresql_include=["id", "cs_owner"],
        ),
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
    name: str = Field(sa_type=String(limits.NAME_LENGTH))
    arr: float = Field(sa_type=DOLLARS)
    segment: str = Field(sa_type=LABEL)
    industry: str | None = Field(sa_type=String(limits.INDUSTRY_LENGTH))
    region: str | None = Field(sa_type=String(limits.REGION_LENGTH))
    cs_owner: str | None = Field(sa_type=String(limits.OWNER_LENGTH))
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
    expansion_oppty_dollar: float = Field(
        sa_column=Column(DOLLARS, nullable=False, server_default=text("0"))
    )
    renewal_risk: str | None = Field(sa_type=LABEL)
    created_at: datetime = Field(sa_column=_moment())
    updated_at: datetime = Field(sa_column=_moment(func.clock_timestamp()))
    external_id: str | None = Field(sa_type=String(limits.EXTERNAL_ID_LENGTH))


class AccountHealth(SQLModel, table=True):
    """The score of an account, one row each, beside the account so that scoring again rewrites little.

    The arrays hold what `service.scoring.Score` does, in the order of its rules, null where unknown; empty before the first scoring. From
    `segment` on the columns repeat the account's (`seat_use` is computed from it): triggers on accounts add the row and keep it so, and
    triggers here keep the rollups, which thus follow from this one row.
    """

    __tablename__: ClassVar[Any] = "account_health"
    __table_args__: ClassVar[Any] = (
        *_score_checks("account_health", "bucket"),
        Index("account_health_score_idx", "score", "account_id"),
        Index("account_health_cs_owner_idx", "cs_owner", "score", "account_id"),
        Index(
            "account_health_risk_idx",
            text("(arr::double precision * (100 - score))"),
            postgresql_include=["account_id", "renewal_date"],
            postgresql_where=text("bucket IN ('Amber', 'Red')"),
        ),
    )

    account_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    score: float | None = Field(sa_type=Double)
    bucket: str | None = Field(sa_type=LABEL)
    coverage: float = Field(sa_column=Column(Double, nullable=False, server_default=text("0")))
    component_values: list[float | None] = Field(sa_column=_numbers())
    component_points: list[float | None] = Field(sa_column=_numbers())
    adjustments: list[float] = Field(sa_column=_numbers())
    calculated_at: datetime | None = Field(sa_type=DateTime(timezone=True))  # pyright: ignore[reportArgumentType]  # takes instances too
    segment: str = Field(sa_type=LABEL)
    region: str | None = Field(sa_type=String(limits.REGION_LENGTH))
    cs_owner: str | None = Field(sa_type=String(limits.OWNER_LENGTH))
    industry: str | None = Field(sa_type=String(limits.INDUSTRY_LENGTH))
    arr: float = Field(sa_type=DOLLARS)
    renewal_date: date | None
    seat_use: float | None = Field(sa_type=Double)
    feature_x_adoption: float | None = Field(sa_type=Double)
    tickets_last_30d: int | None
    critical_tickets_90d: int | None


class AccountName(SQLModel, table=True):
    """Names in lower case, apart from the accounts so that a search reads little."""

    __tablename__: ClassVar[Any] = "account_search_names"
    __table_args__: ClassVar[Any] = (
        Index(
            "account_search_names_name_lower_idx",
            "name_lower",
            postgresql_using="gin",
            postgresql_ops={"name_lower": "gin_trgm_ops"},
        ),
        Index("account_search_names_name_lower_eq_idx", "name_lower"),
    )

    account_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    name_lower: str = Field(sa_column=Column(Text(collation="C"), nullable=False))


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
        Index(
            "health_snapshots_calculated_at_idx",
            "calculated_at",
            "account_id",
            postgresql_include=["score"],
        ),
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
        UniqueConstraint(
            "account_id", name="insights_account_id_key", postgresql_nulls_not_distinct=True
        ),
        *_checks(
            "insights",
            {
                "content": "jsonb_typeof(content) = 'object' AND octet_length(content::text) <= 262144"
            },
        ),
    )

    id: int = Field(sa_column=_key())
    account_id: int | None = Field(
        sa_column=Column(BigInteger, ForeignKey("accounts.id", ondelete="CASCADE"))
    )
    data_version: str = Field(sa_type=String(64))
    model: str = Field(sa_type=String(limits.MODEL_LENGTH))
    content: dict[str, Any] = Field(sa_type=JSONB)
    generated_at: datetime = Field(sa_column=_moment())


class Import(SQLModel, table=True):
    """An import of the last day, which can be undone."""

    __tablename__: ClassVar[Any] = "imports"
    __table_args__: ClassVar[Any] = (Index("imports_created_at_idx", "created_at"),)

    id: int = Field(sa_column=_key())
    created_at: datetime = Field(sa_column=_moment())
    undone_at: datetime | None = Field(sa_type=DateTime(timezone=True))  # pyright: ignore[reportArgumentType]  # takes instances too


class ImportChange(SQLModel, table=True):
    """A row that an import wrote: as it was before (null: created), and a fingerprint of it after."""

    __tablename__: ClassVar[Any] = "import_changes"
    __table_args__: ClassVar[Any] = (
        Index("import_changes_import_id_idx", "import_id", "account_id"),
    )

    id: int = Field(sa_column=_key())
    import_id: int = Field(
        sa_column=Column(BigInteger, ForeignKey("imports.id", ondelete="CASCADE"), nullable=False)
    )
    account_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    date: date | None
    before: dict[str, Any] | None = Field(sa_type=JSONB)
    after: str = Field(sa_type=Text)


class PortfolioCell(SQLModel, table=True):
    """Sums of accounts by all that lists are filtered by, but the owner. As in every rollup, triggers append what a write changes
    (`is_delta`), so that no write waits for another; readers sum; `compact_rollups` sums the deltas. Nanos are billionths."""

    __tablename__: ClassVar[Any] = "portfolio_cells"
    __table_args__: ClassVar[Any] = _of_deltas("portfolio_cells", "segment")

    id: int = Field(sa_column=_key(always=True))
    is_delta: bool = Field(sa_column=_delta())
    segment: str = Field(sa_type=LABEL)
    bucket: str | None = Field(sa_type=LABEL)
    region: str | None = Field(sa_type=String(limits.REGION_LENGTH))
    industry: str | None = Field(sa_type=String(limits.INDUSTRY_LENGTH))
    accounts: int = Field(sa_column=_sum())
    with_renewal: int = Field(sa_column=_sum())
    arr: float = Field(sa_column=_sum())
    score_nanos: int = Field(sa_column=_sum())
    with_seat_use: int = Field(sa_column=_sum())
    seat_use_nanos: int = Field(sa_column=_sum())
    with_feature: int = Field(sa_column=_sum())
    feature_nanos: int = Field(sa_column=_sum())
    tickets: int = Field(sa_column=_sum())
    critical: int = Field(sa_column=_sum())


class OwnerCell(SQLModel, table=True):
    """Numbers of accounts by owner."""

    __tablename__: ClassVar[Any] = "owner_cells"
    __table_args__: ClassVar[Any] = _of_deltas("owner_cells", "cs_owner")

    id: int = Field(sa_column=_key(always=True))
    is_delta: bool = Field(sa_column=_delta())
    cs_owner: str | None = Field(sa_type=String(limits.OWNER_LENGTH))
    segment: str = Field(sa_type=LABEL)
    bucket: str | None = Field(sa_type=LABEL)
    region: str | None = Field(sa_type=String(limits.REGION_LENGTH))
    accounts: int = Field(sa_column=_sum())
    with_renewal: int = Field(sa_column=_sum())


class ScoreBin(SQLModel, table=True):
    """Numbers of accounts by score, in eighths of a point, rounded down: exact ends, because eight is a power of two."""

    __tablename__: ClassVar[Any] = "score_bins"
    __table_args__: ClassVar[Any] = _of_deltas("score_bins", "eighth")

    id: int = Field(sa_column=_key(always=True))
    is_delta: bool = Field(sa_column=_delta())
    eighth: int
    accounts: int = Field(sa_column=_sum())


class RenewalDay(SQLModel, table=True):
    """Accounts and ARR by day of renewal."""

    __tablename__: ClassVar[Any] = "renewal_days"
    __table_args__: ClassVar[Any] = _of_deltas("renewal_days", "renewal_date")

    id: int = Field(sa_column=_key(always=True))
    is_delta: bool = Field(sa_column=_delta())
    renewal_date: date
    bucket: str | None = Field(sa_type=LABEL)
    accounts: int = Field(sa_column=_sum())
    arr: float = Field(sa_column=_sum())


class ComputedMovers(SQLModel, table=True):
    """Who moved the most in a window, for one state of the data: to compute it takes seconds where there are a million accounts."""

    __tablename__: ClassVar[Any] = "computed_movers"

    days: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    today: date
    data_version: str = Field(sa_type=Text)
    movers: list[dict[str, Any]] = Field(sa_type=JSONB)


class IdempotencyRecord(SQLModel, table=True):
    """What was answered to a write with an `Idempotency-Key`; `key` and `request` are SHA-256."""

    __tablename__: ClassVar[Any] = "idempotency_records"
    __table_args__: ClassVar[Any] = (Index("idempotency_records_created_at_idx", "created_at"),)

    key: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    request: bytes
    body: str = Field(sa_type=Text)
    headers: dict[str, str] = Field(sa_type=JSONB)
    created_at: datetime = Field(sa_column=_moment())


METADATA = SQLModel.metadata
