"""The models of request bodies.

Imported by a request that has a body, and for the OpenAPI document; not at a cold start.
"""

from collections.abc import Callable, Iterable
from datetime import date
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    RootModel,
    StringConstraints,
    create_model,
)
from pydantic_core import PydanticCustomError

from service.schema import limits
from service.schema.columns import ACCOUNT_COLUMNS, Column
from service.schema.text import InvisibleCharacterError, normalize
from service.scoring import Inputs
from service.scoring.factors import LABELS


def _integer(value: Any) -> Any:
    """Accept 40.0 as 40: JSON does not distinguish them (RFC 8259, 6)."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _normal(text: str) -> str:
    """Return the normal form of a text, in which it is stored."""
    try:
        return normalize(text)
    except InvisibleCharacterError:
        raise PydanticCustomError(
            "invisible_character", "Must not hold invisible characters"
        ) from None


Text = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, pattern=limits.NOT_BLANK),
    AfterValidator(_normal),
]

MAX_REASONS: Final = 50
MAX_REASON_LENGTH: Final = 100
MINUTES_PER_DAY: Final = 24 * 60

# Dates of an account, with the input of the score that counts the days since or until them.
_DAYS_SINCE: Final = {"qbr_last_date": "days_since_review"}
_DAYS_UNTIL: Final = {"renewal_date": "days_to_renewal"}

_SCORED: Final = tuple(
    column
    for column in ACCOUNT_COLUMNS
    if column.name in {*Inputs._fields, *_DAYS_SINCE, *_DAYS_UNTIL}
)


def _type(column: Column) -> Any:
    """Return the type of a column's values, without null."""
    match column.kind:
        case "text":
            return Annotated[Text, Field(max_length=column.most)]
        case "choice":
            return Literal[column.choices]
        case "integer":
            limited = Field(ge=column.least, le=column.most)
            return Annotated[int, limited, BeforeValidator(_integer)]
        case "dollars" | "ratio" | "number":
            return Annotated[float, Field(ge=column.least, le=column.most, allow_inf_nan=False)]
        case "date":
            return date
        case "flag":
            return bool


def _examples(*columns: Column) -> dict[str, Any]:
    return {"examples": [{column.name: column.example for column in columns}]}


def _without_default(schema: dict[str, Any]) -> None:
    """Remove the default from the document: a column that is left out keeps its value."""
    del schema["default"]


def _value(column: Column) -> tuple[Any, Any]:
    """Return the field of a column whose value is unknown, or 0 dollars, when it is left out."""
    return (_type(column) | None, None) if column.nullable else (_type(column), 0)


def _change(column: Column) -> tuple[Any, Any]:
    """Return the field of a column that keeps its value when it is left out."""
    if column.nullable:
        return _type(column) | None, None
    # The default is never used (`exclude_unset`); it makes the field optional.
    return _type(column), Field(column.example, json_schema_extra=_without_default)


def _fields(columns: Iterable[Column], field: Callable[[Column], tuple[Any, Any]]) -> Any:
    return {column.name: field(column) for column in columns}


_ScoredColumns = create_model("_ScoredColumns", __base__=BaseModel, **_fields(_SCORED, _value))
_ChangeableColumns = create_model(
    "_ChangeableColumns", __base__=BaseModel, **_fields(ACCOUNT_COLUMNS, _change)
)


class WhatIf(_ScoredColumns):
    """Values of a hypothetical account, by column. A value that is left out or null is unknown."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_examples(*_SCORED))

    avg_session_min: (
        Annotated[float, Field(ge=0, le=MINUTES_PER_DAY, allow_inf_nan=False)] | None
    ) = Field(None, description="Mean minutes of a session, over the newest 30 daily rows.")

    def inputs(self, today: date) -> Inputs:
        """Return the inputs of the score, with days counted from `today`."""
        values = self.model_dump()
        inputs = {name: values[name] for name in Inputs._fields if name in values}
        for name, days in _DAYS_SINCE.items():
            inputs[days] = None if values[name] is None else (today - values[name]).days
        for name, days in _DAYS_UNTIL.items():
            inputs[days] = None if values[name] is None else (values[name] - today).days
        return Inputs(**inputs, session_minutes=self.avg_session_min)


class AccountChange(_ChangeableColumns):
    """New values of an account, by column, except its id.

    A column that is left out is not changed; null makes its value unknown.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"cs_owner": "Robin Vale", "renewal_date": "2027-01-31", "nps": None}]
        },
    )


RiskFactor = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_REASON_LENGTH),
    Field(json_schema_extra={"enum": [*LABELS, *LABELS.values()]}),
]


class RiskFactors(RootModel[list[RiskFactor]]):
    """Codes or labels of factors, in any case, the most important first.

    `GET /scoring` lists them.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [["nps", "Ticket volume"]]})

    root: Annotated[list[RiskFactor], Field(min_length=1, max_length=MAX_REASONS)]


REQUEST_MODELS: Final = (AccountChange, WhatIf, RiskFactors)
