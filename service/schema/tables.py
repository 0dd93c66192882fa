"""Declares the database's tables, with which a test compares the migrations.

Requests never import this; they execute the SQL of `service.queries`. The constraints protect
reads: the database itself refuses a row that could break one, whoever writes it.
"""

from datetime import date, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    String,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine
from sqlmodel import Field, SQLModel

from service.schema import columns, limits
from service.scoring import rules

DOLLARS = Numeric(15, 2)
NUMBERS = ARRAY(Double)
LABEL = String(20)
FILTER_COLUMNS = ["segment", "region", "cs_owner"]
"""Included in the indexes that sort lists, so that filters need not read the table."""
NOT_FINITE = "'{NaN,Infinity,-Infinity}'"


def _one_of(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


def _clean(column: str) -> str:
    """Return the condition for a text: printable and not empty; an unknown text is null."""
    return f"{column} <> '' AND {column} !~ '[{limits.CONTROL_CHARACTERS}]'"


def _readable(column: str) -> str:
    """Return the condition for a date: a year of four digits, and not infinity."""
    return f"{column} BETWEEN DATE '0001-01-01' AND DATE '9999-12-31'"


def _conditions(given: tuple[columns.Column, ...]) -> dict[str, str]:
    """Return the conditions of columns, by name."""
    return {column.name: condition for column in given if (condition := _condition(column))}


def _stored(column: columns.Column) -> Column[Any]:
    """Return the database column for an entry of `service.schema.columns`."""
    return Column(
        column.name,
        _sql_type(column),
        nullable=column.nullable,
        server_default=None if column.default is None else text(str(column.default)),
    )


def _sql_type(column: columns.Column) -> TypeEngine[Any]:
    match column.kind:
        case "text":
            return String(column.most)
        case "choice":
            return LABEL
        case "dollars":
            return DOLLARS
        case "integer":
            return Integer()
        case "ratio" | "number":
            return Double()
        case "date":
            return Date()
        case "flag":
            return Boolean()


def _condition(column: columns.Column) -> str | None:
    match column.kind:
        case "text":
            return _clean(column.name)
        case "choice":
            return _one_of(column.name, column.choices)
        case "date":
            return _readable(column.name)
        case "integer" if column.most == limits.INT4_MAX:  # the limit of the type
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
    return Column("id", BigInteger, Identity(always=always), primary_key=True)


def _account_id() -> Column[Any]:
    return Column(BigInteger, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False)


def _timestamp(name: str | None = None, default: Any = None) -> Column[Any]:
    return Column(
        name,
        DateTime(timezone=True),
        nullable=False,
        server_default=func.now() if default is None else default,
    )


def _first_day() -> Column[Any]:
    return Column(Date, nullable=False, server_default=text("'2000-01-01'"))


def _is_delta() -> Column[Any]:
    return Column(Boolean, nullable=False)


def _sum() -> Column[Any]:
    return Column(Numeric, nullable=False)


def _rollup_indexes(table: str, *keys: str) -> tuple[Index, ...]:
    return Index(f"{table}_{keys[0]}_idx", keys[0]), Index(
        f"{table}_is_delta_idx", "is_delta", postgresql_where=text("is_delta")
    )


def _numbers() -> Column[Any]:
    return Column(NUMBERS, nullable=False, server_default=text("'{}'"))


def _score_checks(table: str, bucket: str) -> tuple[CheckConstraint, ...]:
    return _checks(
        table,
        {
            "score": f"score BETWEEN {rules.SCORE_MIN:.0f} AND {rules.SCORE_MAX:.0f}"
            f" AND (score IS NULL) = ({bucket} IS NULL)",
            bucket: _one_of(bucket, tuple(name for name, _ in rules.BUCKETS)),
            "coverage": "coverage BETWEEN 0 AND 1",
            "factors": f"NOT (component_values && {NOT_FINITE}"
            f" OR component_points && {NOT_FINITE} OR adjustments && {NOT_FINITE})"
            " AND cardinality(component_values) = cardinality(component_points)",
        },
    )


ACCOUNTS = Table(
    "accounts",
    SQLModel.metadata,
    _key(),
    *map(_stored, columns.ACCOUNT_COLUMNS),
    _timestamp("created_at"),
    _timestamp("updated_at", func.clock_timestamp()),
    UniqueConstraint("name", name="accounts_name_key", postgresql_include=["id", *FILTER_COLUMNS]),
    UniqueConstraint("external_id", name="accounts_external_id_key"),
    Index("accounts_arr_idx", "arr", "id", postgresql_include=FILTER_COLUMNS),
    Index("accounts_renewal_date_idx", "renewal_date", "id", postgresql_include=FILTER_COLUMNS),
    Index(
        "accounts_renewal_date_desc_idx",
        text("renewal_date DESC"),
        "id",
        postgresql_include=FILTER_COLUMNS,
    ),
    Index("accounts_updated_at_idx", "updated_at", "id", postgresql_include=FILTER_COLUMNS),
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
"""The accounts. Null means unknown, which is not zero.

A plain `Table`, because it is built from `ACCOUNT_COLUMNS`.
"""


class AccountHealth(SQLModel, table=True):
    """The score of an account, one row each; apart from the account, so that scoring writes little.

    The arrays are those of `service.scoring.Score`, in the order of its rules, null where unknown,
    and empty before the first scoring. `snapshot_score` is the score of the newest snapshot. The
    columns from `segment` on repeat the account's
    (`seat_use` is computed from them). Triggers on `accounts` insert the row and update them, and
    triggers on this table update the rollups, which need no other row.
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
    calculated_at: datetime | None = Field(sa_type=DateTime(timezone=True))  # pyright: ignore[reportArgumentType]
    snapshot_score: float | None = Field(sa_type=Double)
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
    """The metrics of an account on one day."""

    __tablename__: ClassVar[Any] = "account_metrics_daily"
    __table_args__: ClassVar[Any] = (
        UniqueConstraint("account_id", "date", name="account_metrics_daily_account_id_date_key"),
        *_checks(
            "account_metrics_daily",
            _conditions(columns.DAY_COLUMNS),
        ),
    )

    id: int = Field(sa_column=_key())
    account_id: int = Field(sa_column=_account_id())
    date: date
    logins: int | None
    events: int | None
    feature_x_events: int | None
    errors: int | None
    ticket_backlog: int | None
    avg_session_min: float | None = Field(sa_type=Double)


class HealthSnapshot(SQLModel, table=True):
    """An account's score at one time; a new row only when the score or its factors changed.

    `score_before` is the score that was in force until then, of a first snapshot its own.
    """

    __tablename__: ClassVar[Any] = "health_snapshots"
    __table_args__: ClassVar[Any] = (
        Index("health_snapshots_account_id_calculated_at_idx", "account_id", "calculated_at"),
        Index(
            "health_snapshots_calculated_at_before_idx",
            "calculated_at",
            "account_id",
            postgresql_include=["score_before"],
        ),
        *_score_checks("health_snapshots", "risk_label"),
    )

    id: int = Field(sa_column=_key())
    account_id: int = Field(sa_column=_account_id())
    calculated_at: datetime = Field(sa_column=_timestamp())
    score: float | None = Field(sa_type=Double)
    risk_label: str | None = Field(sa_type=LABEL)
    coverage: float = Field(sa_type=Double)
    component_values: list[float | None] = Field(sa_type=NUMBERS)
    component_points: list[float | None] = Field(sa_type=NUMBERS)
    adjustments: list[float] = Field(sa_type=NUMBERS)
    score_before: float | None = Field(sa_type=Double)


class Insight(SQLModel, table=True):
    """The newest insight that a model wrote of an account, or of all where `account_id` is null."""

    __tablename__: ClassVar[Any] = "insights"
    __table_args__: ClassVar[Any] = (
        UniqueConstraint(
            "account_id", name="insights_account_id_key", postgresql_nulls_not_distinct=True
        ),
        *_checks(
            "insights",
            {
                "content": "jsonb_typeof(content) = 'object'"
                " AND octet_length(content::text) <= 262144"
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
    generated_at: datetime = Field(sa_column=_timestamp())


class Import(SQLModel, table=True):
    """An import of the last 24 hours, which can be undone."""

    __tablename__: ClassVar[Any] = "imports"
    __table_args__: ClassVar[Any] = (Index("imports_created_at_idx", "created_at"),)

    id: int = Field(sa_column=_key())
    created_at: datetime = Field(sa_column=_timestamp())
    undone_at: datetime | None = Field(sa_type=DateTime(timezone=True))  # pyright: ignore[reportArgumentType]


class ImportChange(SQLModel, table=True):
    """A row that an import wrote: as it was before, null if created, and a hash of it after."""

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
    """Totals of accounts by the columns that lists are filtered by, except the owner.

    As in every rollup, triggers append one delta row per write (`is_delta`), so that no write waits
    for another. Readers sum the rows, and `compact_rollups` compacts them. Nanos are billionths.
    """

    __tablename__: ClassVar[Any] = "portfolio_cells"
    __table_args__: ClassVar[Any] = _rollup_indexes("portfolio_cells", "segment")

    id: int = Field(sa_column=_key(always=True))
    is_delta: bool = Field(sa_column=_is_delta())
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
    """The number of accounts by owner."""

    __tablename__: ClassVar[Any] = "owner_cells"
    __table_args__: ClassVar[Any] = _rollup_indexes("owner_cells", "cs_owner")

    id: int = Field(sa_column=_key(always=True))
    is_delta: bool = Field(sa_column=_is_delta())
    cs_owner: str | None = Field(sa_type=String(limits.OWNER_LENGTH))
    segment: str = Field(sa_type=LABEL)
    bucket: str | None = Field(sa_type=LABEL)
    region: str | None = Field(sa_type=String(limits.REGION_LENGTH))
    accounts: int = Field(sa_column=_sum())
    with_renewal: int = Field(sa_column=_sum())


class ScoreBin(SQLModel, table=True):
    """The number of accounts by score, in eighths of a point, rounded down.

    The limits of the bins are exact, because eight is a power of two.
    """

    __tablename__: ClassVar[Any] = "score_bins"
    __table_args__: ClassVar[Any] = _rollup_indexes("score_bins", "eighth")

    id: int = Field(sa_column=_key(always=True))
    is_delta: bool = Field(sa_column=_is_delta())
    eighth: int
    accounts: int = Field(sa_column=_sum())


class RenewalDay(SQLModel, table=True):
    """The number and ARR of accounts by renewal date."""

    __tablename__: ClassVar[Any] = "renewal_days"
    __table_args__: ClassVar[Any] = _rollup_indexes("renewal_days", "renewal_date")

    id: int = Field(sa_column=_key(always=True))
    is_delta: bool = Field(sa_column=_is_delta())
    renewal_date: date
    bucket: str | None = Field(sa_type=LABEL)
    accounts: int = Field(sa_column=_sum())
    arr: float = Field(sa_column=_sum())


class ComputedMovers(SQLModel, table=True):
    """The movers of a window, cached for one version of the data.

    Computing them takes seconds with a million accounts.
    """

    __tablename__: ClassVar[Any] = "computed_movers"

    days: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    today: date
    data_version: str = Field(sa_type=Text)
    movers: list[dict[str, Any]] = Field(sa_type=JSONB)


class IdempotencyRecord(SQLModel, table=True):
    """The result of a write with an `Idempotency-Key`; `key` and `request` are SHA-256 hashes."""

    __tablename__: ClassVar[Any] = "idempotency_records"
    __table_args__: ClassVar[Any] = (Index("idempotency_records_created_at_idx", "created_at"),)

    key: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    request: bytes
    body: str = Field(sa_type=Text)
    headers: dict[str, str] = Field(sa_type=JSONB)
    created_at: datetime = Field(sa_column=_timestamp())


class Upkeep(SQLModel, table=True):
    """One row: the day of the scores, and how far the upkeep of a day has come.

    scores_as_of: every score is of this day, or of a write since.
    day: of the last run; until it is complete, `scores_as_of` is another day.
    after_arr, after_id: the last account that the run has scored; null at its start.
    thinned_days_until, thinned_weeks_until: the history before these days is thinned.
    """

    __tablename__: ClassVar[Any] = "upkeep"
    __table_args__: ClassVar[Any] = _checks("upkeep", {"only_row": "only_row"})

    only_row: bool = Field(sa_column=Column(Boolean, primary_key=True, server_default=text("true")))
    scores_as_of: date
    day: date
    after_arr: float | None = Field(sa_type=DOLLARS)
    after_id: int | None = Field(sa_type=BigInteger)
    thinned_days_until: date = Field(sa_column=_first_day())
    thinned_weeks_until: date = Field(sa_column=_first_day())


METADATA = SQLModel.metadata
