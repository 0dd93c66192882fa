"""The shapes of answers, for the OpenAPI document and the tests. Requests never import this: `queries/` makes answers as they are here."""

from datetime import date, datetime
from typing import Final, Literal

from pydantic import BaseModel, Field

from service.schema.limits import RenewalRisk, Segment
from service.schema.responses.examples import example as _example
from service.scoring.rules import Bucket

Ratio = float
Dollars = float

_FACTOR: Final = {
    "code": "nps",
    "label": "Net promoter score",
    "contribution": 11.666666666666666,
    "points": 10.5,
    "max": 15,
    "value": 40,
    "status": "known",
    "impact": 3.333333333333332,
}

_ACCOUNT: Final = {
    "id": 77,
    "name": "Alder Ridge Logistics, Tampere",
    "external_id": "001Qy00000ABCDE",
    "arr": 120000,
    "segment": "Mid-Market",
    "industry": "Logistics",
    "region": "EMEA",
    "cs_owner": "Robin Vale",
    "renewal_date": "2027-01-31",
    "qbr_last_date": "2026-10-24",
    "active_users": 80,
    "seats_purchased": 100,
    "feature_x_adoption": 0.5,
    "weekly_active_pct": 0.6,
    "time_to_value_days": 30,
    "tickets_last_30d": 3,
    "critical_tickets_90d": 1,
    "sla_breaches_90d": 0,
    "nps": 40,
    "onboarding_phase": False,
    "expansion_oppty_dollar": 0,
    "renewal_risk": "Low",
    "health_score": 75.6,
    "health_bucket": "Green",
    "health_coverage": 0.9,
    "created_at": "2026-05-27T09:00:00.000000Z",
    "updated_at": "2026-11-23T09:00:00.000000Z",
    "latest_health_factors": [_FACTOR],
}


class Service(BaseModel):
    """What answers here."""

    model_config = _example(
        {
            "status": "healthy",
            "service": "ai-success-insights",
            "version": "4f1c2a9b7d3e",
            "stage": "prod",
        }
    )

    status: Literal["healthy"]
    service: str
    version: str
    stage: str


class Alive(BaseModel):
    model_config = _example({"status": "alive"})

    status: Literal["alive"]


class Ready(BaseModel):
    model_config = _example({"status": "ready"})

    status: Literal["ready"]


class Factor(BaseModel):
    """One part of a score; the contributions of all sum to it. An adjustment has neither `value` nor `max`."""

    model_config = _example(_FACTOR)

    code: str
    label: str
    contribution: float
    points: float | None
    max: int | None
    value: float | None
    status: Literal["known", "unknown"]
    impact: float = Field(
        description="Distance from a half-earned component, or an adjustment's contribution. Negative ones pull down."
    )


class Account(BaseModel):
    """Null is unknown, which is not zero. Ratios are 0..1."""

    model_config = _example(_ACCOUNT)

    id: int
    name: str
    external_id: str | None
    arr: Dollars
    segment: Segment
    industry: str | None
    region: str | None
    cs_owner: str | None
    renewal_date: date | None
    qbr_last_date: date | None
    active_users: int | None
    seats_purchased: int | None
    feature_x_adoption: Ratio | None
    weekly_active_pct: Ratio | None
    time_to_value_days: int | None
    tickets_last_30d: int | None
    critical_tickets_90d: int | None
    sla_breaches_90d: int | None
    nps: int | None
    onboarding_phase: bool | None
    expansion_oppty_dollar: Dollars
    renewal_risk: RenewalRisk | None
    health_score: float | None = Field(
        description="0..100 with one decimal; null when too little is known."
    )
    health_bucket: Bucket | None
    health_coverage: Ratio = Field(description="The part of the score's components that is known.")
    created_at: datetime
    updated_at: datetime
    latest_health_factors: list[Factor] = Field(
        description="The weightiest first; in a list the five with an impact, else all."
    )


class AccountPage(BaseModel):
    model_config = _example({"total": 1, "page": 1, "page_size": 50, "accounts": [_ACCOUNT]})

    total: int = Field(description="All accounts that the filter lets through, exactly.")
    page: int
    page_size: int
    accounts: list[Account]


class RowError(BaseModel):
    """`row` counts the file's records from 1, which is the header's; `column` is null when it is about the whole row."""

    row: int
    column: str | None
    code: str
    message: str


class Imported(BaseModel):
    """What a set of rows changed. All of it was written, or nothing."""

    model_config = _example({
        "message": "Imported: 2 accounts created, 1 updated, 0 unchanged; 90 days created, 0 updated.",
        "accounts_created": 2,
        "accounts_updated": 1,
        "accounts_unchanged": 0,
        "metrics_created": 90,
        "metrics_updated": 0,
        "errors": [],
    })  # fmt: skip

    message: str
    accounts_created: int
    accounts_updated: int
    accounts_unchanged: int
    metrics_created: int
    metrics_updated: int
    errors: list[RowError]


class ImportedColumn(BaseModel):
    """A column of the file, and the column of accounts or days that it was read as."""

    header: str
    column: str


class IgnoredColumn(BaseModel):
    """A column of the file that was not imported; `nearest` is a known name that is like it."""

    header: str
    nearest: str | None


class IgnoredRow(BaseModel):
    """A row of the file that was not imported."""

    row: int
    reason: Literal["total", "footer"]


class SimilarName(BaseModel):
    """A new account whose name differs from another one in case only."""

    name: str
    other: str


class ImportedFile(Imported):
    """What a file changed, or would change, and how it was read.

    `import_id` names the import for an undo within a day; null when nothing was written. A format is
    null where no cell needed it. `preview` has the first rows of a dry run, by column.
    """

    model_config = _example({
        "message": "Imported: 2 accounts created, 1 updated, 0 unchanged; 90 days created, 0 updated.",
        "accounts_created": 2,
        "accounts_updated": 1,
        "accounts_unchanged": 0,
        "metrics_created": 90,
        "metrics_updated": 0,
        "errors": [],
        "import_id": 12,
        "number_format": "1,234.5",
        "date_order": None,
        "columns": [{"header": "Account Name", "column": "name"}],
        "ignored_columns": [{"header": "Health Score", "nearest": None}],
        "ignored_rows": [{"row": 31, "reason": "total"}],
        "similar_names": [],
        "preview": [],
    })  # fmt: skip

    import_id: int | None
    number_format: Literal["1,234.5", "1.234,5"] | None
    date_order: Literal["ymd", "mdy", "dmy"] | None
    columns: list[ImportedColumn]
    ignored_columns: list[IgnoredColumn]
    ignored_rows: list[IgnoredRow]
    similar_names: list[SimilarName]
    preview: list[dict[str, str | float | bool | None]]


class Undone(BaseModel):
    """What was taken back of an import."""

    model_config = _example({
        "message": "Undone: 2 accounts deleted, 1 restored; 90 days deleted, 0 restored.",
        "accounts_deleted": 2,
        "accounts_restored": 1,
        "metrics_deleted": 90,
        "metrics_restored": 0,
    })  # fmt: skip

    message: str
    accounts_deleted: int
    accounts_restored: int
    metrics_deleted: int
    metrics_restored: int


class Deleted(BaseModel):
    """The id of the account that was deleted."""

    model_config = _example({"id": 77, "message": "The account and its history were deleted."})

    id: int
    message: str


class Generated(Imported):
    model_config = _example({
        "message": "Added 20 sample accounts.",
        "accounts_created": 20,
        "accounts_updated": 0,
        "accounts_unchanged": 0,
        "metrics_created": 3600,
        "metrics_updated": 0,
        "errors": [],
        "seed": 7,
    })  # fmt: skip

    seed: int = Field(description="The same seed makes the same accounts.")


class Recomputed(BaseModel):
    model_config = _example({
        "message": "Scored again; 12 accounts changed.",
        "accounts_updated": 12,
        "snapshots_created": 11,
        "computation_time_seconds": 0.214,
        "next_cursor": None,
    })  # fmt: skip

    message: str
    accounts_updated: int = Field(
        description="Those whose score, factors or coverage are other ones now."
    )
    snapshots_created: int
    computation_time_seconds: float
    next_cursor: int | None = Field(
        description="Where to go on, as `cursor`; null when every account has been scored."
    )


class FieldError(BaseModel):
    loc: list[str | int]
    code: str
    message: str


class Problem(BaseModel):
    """RFC 9457. `detail` says what to do; `errors` is there for a 422, and never holds the offending value.

    Of a file that was refused, `errors` are the first of `total_errors`.
    """

    type: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    errors: list[FieldError] | list[RowError] | None = None
    total_errors: int | None = None


RESPONSE_MODELS: Final = (
    Service,
    Alive,
    Ready,
    Account,
    AccountPage,
    ImportedFile,
    Undone,
    Deleted,
    Generated,
    Recomputed,
    Problem,
)
"""Those that a route names; their parts come along."""
