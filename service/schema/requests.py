"""The bodies that requests send. Imported by the request that reads one, and for the OpenAPI document; never at the start."""

from datetime import date
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    RootModel,
    StringConstraints,
)
from pydantic_core import PydanticCustomError

from service.schema import limits
from service.schema.limits import RenewalRisk, Segment
from service.schema.text import InvisibleCharacterError, normalize
from service.scoring import Inputs
from service.scoring.factors import LABELS


def _whole(value: Any) -> Any:
    """JSON has one kind of number: 40.0 is 40."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Count = Annotated[int, Field(ge=0, le=limits.INT4_MAX), BeforeValidator(_whole)]
Seats = Annotated[int, Field(ge=1, le=limits.INT4_MAX), BeforeValidator(_whole)]
Promoters = Annotated[int, Field(ge=limits.NPS_WORST, le=limits.NPS_BEST), BeforeValidator(_whole)]
Ratio = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Dollars = Annotated[float, Field(ge=0, le=limits.MAX_DOLLARS, allow_inf_nan=False)]


def _normal(text: str) -> str:
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
MINUTES_OF_A_DAY: Final = 24 * 60


def _without_default(schema: dict[str, Any]) -> None:
    """What is left out is not changed: it has no default to speak of."""
    del schema["default"]


class WhatIf(BaseModel):
    """What is supposed of an account, by the names of its columns. What is left out, or null, is unknown."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "arr": 120000,
                    "seats_purchased": 100,
                    "active_users": 80,
                    "feature_x_adoption": 0.5,
                    "weekly_active_pct": 0.6,
                    "time_to_value_days": 30,
                    "tickets_last_30d": 3,
                    "critical_tickets_90d": 1,
                    "sla_breaches_90d": 0,
                    "nps": 40,
                    "qbr_last_date": "2026-10-24",
                    "onboarding_phase": False,
                    "renewal_date": "2027-01-31",
                }
            ]
        },
    )

    arr: Dollars = 0
    seats_purchased: Seats | None = None
    active_users: Count | None = None
    feature_x_adoption: Ratio | None = None
    weekly_active_pct: Ratio | None = None
    avg_session_min: (
        Annotated[float, Field(ge=0, le=MINUTES_OF_A_DAY, allow_inf_nan=False)] | None
    ) = Field(None, description="Mean minutes of a session, over the newest 30 daily rows.")
    time_to_value_days: Count | None = None
    tickets_last_30d: Count | None = None
    critical_tickets_90d: Count | None = None
    sla_breaches_90d: Count | None = None
    nps: Promoters | None = None
    qbr_last_date: date | None = None
    onboarding_phase: bool | None = None
    renewal_date: date | None = None
    expansion_oppty_dollar: Dollars = 0

    def inputs(self, today: date) -> Inputs:
        """For the score, with days counted from `today`."""
        return Inputs(
            arr=self.arr,
            seats_purchased=self.seats_purchased,
            active_users=self.active_users,
            feature_x_adoption=self.feature_x_adoption,
            weekly_active_pct=self.weekly_active_pct,
            session_minutes=self.avg_session_min,
            time_to_value_days=self.time_to_value_days,
            tickets_last_30d=self.tickets_last_30d,
            critical_tickets_90d=self.critical_tickets_90d,
            sla_breaches_90d=self.sla_breaches_90d,
            nps=self.nps,
            days_since_review=None
            if self.qbr_last_date is None
            else (today - self.qbr_last_date).days,
            onboarding_phase=self.onboarding_phase,
            days_to_renewal=None if self.renewal_date is None else (self.renewal_date - today).days,
            expansion_oppty_dollar=self.expansion_oppty_dollar,
        )


class AccountChange(BaseModel):
    """Any of an account's columns but its id. What is left out stays; null makes it unknown."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"cs_owner": "Robin Vale", "renewal_date": "2027-01-31", "nps": None}]
        },
    )

    name: Annotated[Text, Field(max_length=limits.NAME_LENGTH)] = Field(
        "", json_schema_extra=_without_default
    )
    external_id: Annotated[Text, Field(max_length=limits.EXTERNAL_ID_LENGTH)] | None = None
    arr: Dollars = Field(0, json_schema_extra=_without_default)
    segment: Segment = Field("SMB", json_schema_extra=_without_default)
    industry: Annotated[Text, Field(max_length=limits.INDUSTRY_LENGTH)] | None = None
    region: Annotated[Text, Field(max_length=limits.REGION_LENGTH)] | None = None
    cs_owner: Annotated[Text, Field(max_length=limits.OWNER_LENGTH)] | None = None
    renewal_date: date | None = None
    qbr_last_date: date | None = None
    active_users: Count | None = None
    seats_purchased: Seats | None = None
    feature_x_adoption: Ratio | None = None
    weekly_active_pct: Ratio | None = None
    time_to_value_days: Count | None = None
    tickets_last_30d: Count | None = None
    critical_tickets_90d: Count | None = None
    sla_breaches_90d: Count | None = None
    nps: Promoters | None = None
    onboarding_phase: bool | None = None
    expansion_oppty_dollar: Dollars = Field(0, json_schema_extra=_without_default)
    renewal_risk: RenewalRisk | None = None


RiskFactor = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_REASON_LENGTH),
    Field(json_schema_extra={"enum": [*LABELS, *LABELS.values()]}),
]


class RiskFactors(RootModel[list[RiskFactor]]):
    """Codes or labels of factors, as `GET /scoring` lists them but in any case, the weightiest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [["nps", "Ticket volume"]]})

    root: Annotated[list[RiskFactor], Field(min_length=1, max_length=MAX_REASONS)]


REQUEST_MODELS: Final = (AccountChange, WhatIf, RiskFactors)
