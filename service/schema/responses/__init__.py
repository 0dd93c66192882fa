"""The models of responses, for the OpenAPI document and the tests.

Requests never import them: `service.queries` builds the JSON, and tests compare it with these.
"""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, Field, create_model

from service.schema.columns import ACCOUNT_COLUMNS, Column
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
    **{column.name: column.example for column in ACCOUNT_COLUMNS},
    "health_score": 75.6,
    "health_bucket": "Green",
    "health_coverage": 0.9,
    "created_at": "2026-05-27T09:00:00.000000Z",
    "updated_at": "2026-11-23T09:00:00.000000Z",
    "latest_health_factors": [_FACTOR],
}


def columns_model(name: str, base: type[BaseModel], columns: Iterable[Column]) -> type[BaseModel]:
    """Return a model with the fields of `base`, and after them one for each column."""
    fields: dict[str, Any] = {
        column.name: (_type(column) | None if column.nullable else _type(column), ...)
        for column in columns
    }
    return create_model(name, __base__=base, **fields)


def _type(column: Column) -> Any:
    match column.kind:
        case "text":
            return str
        case "choice":
            return Literal[column.choices]
        case "integer":
            return int
        case "dollars" | "ratio" | "number":
            return float
        case "date":
            return date
        case "flag":
            return bool


class Service(BaseModel):
    """The name, version and stage of the service."""

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
    """One part of a score: the contributions of all factors sum to the score.

    An adjustment has neither `value` nor `max`.
    """

    model_config = _example(_FACTOR)

    code: str
    label: str
    contribution: float
    points: float | None
    max: int | None
    value: float | None
    status: Literal["known", "unknown"]
    impact: float = Field(
        description="Distance from half of the component's points, or an adjustment's "
        "contribution. Negative values lower the score."
    )


class _Identified(BaseModel):
    id: int


_AccountColumns = columns_model("_AccountColumns", _Identified, ACCOUNT_COLUMNS)


ScoresAsOf = Annotated[
    date,
    Field(description="The day that all scores are of; one that was written since is newer."),
]


class Account(_AccountColumns):
    """An account. Null means unknown, which is not zero. Ratios are from 0 to 1."""

    model_config = _example(_ACCOUNT)

    health_score: float | None = Field(
        description="From 0 to 100 with one decimal; null when too little is known."
    )
    health_bucket: Bucket | None
    health_coverage: Ratio = Field(description="The share of the score's components that is known.")
    created_at: datetime
    updated_at: datetime
    latest_health_factors: list[Factor] = Field(
        description="Largest impact first; in a list the five with the largest, otherwise all."
    )


class AccountDetail(Account):
    """An account with all of its factors."""

    model_config = _example({**_ACCOUNT, "scores_as_of": "2026-11-23"})

    scores_as_of: ScoresAsOf


class AccountPage(BaseModel):
    model_config = _example({
        "total": 1, "page": 1, "page_size": 50, "accounts": [_ACCOUNT],
        "scores_as_of": "2026-11-23",
    })  # fmt: skip

    total: int = Field(description="The exact number of accounts that match the filter.")
    page: int
    page_size: int
    accounts: list[Account]
    scores_as_of: ScoresAsOf


class RowError(BaseModel):
    """An error in a file.

    `row` is the number of the record; the header is row 1. `column` is null for an error of the
    whole row.
    """

    row: int
    column: str | None
    code: str
    message: str


class AccountError(BaseModel):
    """An account that refuses an undo. `name` is null when the account was deleted."""

    account_id: int
    name: str | None
    code: str


class Imported(BaseModel):
    """What an import changed, or with `dry_run` would change."""

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
    """A column of the file that was not imported; `nearest` is the most similar known name."""

    header: str
    nearest: str | None


class IgnoredRow(BaseModel):
    """A row of the file that was not imported."""

    row: int
    reason: Literal["total", "footer"]


class SimilarName(BaseModel):
    """A new account whose name differs from another name in case only."""

    name: str
    other: str


class ImportedFile(Imported):
    """What a file changed, or would change, and how it was read.

    `import_id` identifies the import for an undo within 24 hours; it is null when nothing was
    written. A format is null when no cell needed it. `preview` has the first rows of a dry run, by
    column.
    """

    model_config = _example({
        "message": "Imported: 2 accounts created, 1 updated, 0 unchanged; "
        "90 days created, 0 updated.",
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
    """What an undo of an import deleted and restored."""

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

    seed: int = Field(description="The same seed gives the same accounts.")


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
        description="The accounts whose score, factors or coverage changed."
    )
    snapshots_created: int
    computation_time_seconds: float
    next_cursor: int | None = Field(
        description="The `cursor` of the next request; null when every account has been scored."
    )


class FieldError(BaseModel):
    loc: list[str | int]
    code: str
    message: str


class Problem(BaseModel):
    """Problem details (RFC 9457).

    `detail` says what is wrong and what to do. `errors` is present for a 422, and never holds the
    invalid value. For a rejected file it holds the first of `total_errors`. For an undo that is
    refused (409) it holds the accounts.
    """

    type: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    errors: list[FieldError] | list[RowError] | list[AccountError] | None = None
    total_errors: int | None = None


RESPONSE_MODELS: Final = (
    Service,
    Alive,
    Ready,
    AccountDetail,
    AccountPage,
    ImportedFile,
    Undone,
    Deleted,
    Generated,
    Recomputed,
    Problem,
)
"""The models that routes refer to; the document also gets the models of their fields."""
