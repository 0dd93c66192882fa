"""The models of key figures and lists of all accounts together."""

from datetime import date, datetime
from typing import Final

from pydantic import BaseModel, Field

from service.schema.limits import Segment
from service.schema.responses import Dollars, Ratio, ScoresAsOf
from service.schema.responses.examples import example
from service.scoring.rules import Bucket


class CountByBucket(BaseModel):
    """All four buckets, 0 for one without accounts."""

    green: int = Field(alias="Green")
    amber: int = Field(alias="Amber")
    red: int = Field(alias="Red")
    unscored: int = Field(alias="Unscored")


class NumberByBucket(BaseModel):
    """All four buckets, 0 for one without accounts."""

    green: float = Field(alias="Green")
    amber: float = Field(alias="Amber")
    red: float = Field(alias="Red")
    unscored: float = Field(alias="Unscored")


class DollarsBySegment(BaseModel):
    """All three segments, 0 for one without accounts."""

    smb: Dollars = Field(alias="SMB")
    mid_market: Dollars = Field(alias="Mid-Market")
    enterprise: Dollars = Field(alias="Enterprise")


class PortfolioMetrics(BaseModel):
    """Key figures of all accounts. An average without values is null."""

    model_config = example({
        "total_accounts": 2,
        "total_arr": 150000,
        "arr_by_bucket": {"Green": 120000, "Amber": 30000, "Red": 0, "Unscored": 0},
        "arr_by_segment": {"SMB": 30000, "Mid-Market": 120000, "Enterprise": 0},
        "accounts_by_risk": {"Green": 1, "Amber": 1, "Red": 0, "Unscored": 0},
        "risk_breakdown": {"Green": 50, "Amber": 50, "Red": 0, "Unscored": 0},
        "avg_health_score": 66.25,
        "median_health_score": 66.25,
        "avg_adoption_ratio": 0.8,
        "avg_feature_adoption": 0.45,
        "total_tickets_30d": 9,
        "total_critical_90d": 1,
        "renewals_next_60d": 1,
        "at_risk_arr": 30000,
        "red_arr": 0,
        "amber_arr": 30000,
        "scores_as_of": "2026-11-23",
        "as_of": "2026-11-23T09:00:00.000000Z",
    })  # fmt: skip

    total_accounts: int
    total_arr: Dollars
    arr_by_bucket: NumberByBucket
    arr_by_segment: DollarsBySegment
    accounts_by_risk: CountByBucket = Field(description="Accounts of each bucket.")
    risk_breakdown: NumberByBucket = Field(
        description="Percent of the accounts that are in each bucket."
    )
    avg_health_score: float | None
    median_health_score: float | None
    avg_adoption_ratio: Ratio | None = Field(
        description="Mean of active users per seat, where both are known; at most 1 per account."
    )
    avg_feature_adoption: Ratio | None
    total_tickets_30d: int
    total_critical_90d: int
    renewals_next_60d: int
    at_risk_arr: Dollars = Field(description="ARR of the Amber and Red accounts.")
    red_arr: Dollars
    amber_arr: Dollars
    scores_as_of: ScoresAsOf
    as_of: datetime


class AttentionAccount(BaseModel):
    """An account that needs attention."""

    id: int
    name: str
    segment: Segment
    cs_owner: str | None
    arr: Dollars
    health_score: float
    health_bucket: Bucket
    renewal_date: date | None
    days_to_renewal: int | None = Field(description="Negative after the renewal date.")
    priority: float = Field(
        description="ARR times the part of the score that is missing to 100, times a factor that "
        "grows from 1 to 2 as the renewal comes closer within `days`."
    )
    reasons: list[str] = Field(
        description="Codes of the factors that lower the score, the largest impact first."
    )
    playbook_id: int | None = Field(description="The playbook that addresses these reasons best.")


class Attention(BaseModel):
    model_config = example({
        "accounts": [{
            "id": 77, "name": "Alder Ridge Logistics, Tampere", "segment": "Mid-Market",
            "cs_owner": "Robin Vale", "arr": 120000, "health_score": 41.2, "health_bucket": "Red",
            "renewal_date": "2027-01-31", "days_to_renewal": 69, "priority": 114072.0,
            "reasons": ["nps", "ticket_volume"], "playbook_id": 7,
        }],
        "scores_as_of": "2026-11-23",
        "as_of": "2026-11-23T09:00:00.000000Z",
    })  # fmt: skip

    accounts: list[AttentionAccount]
    scores_as_of: ScoresAsOf
    as_of: datetime


class RenewalTotal(BaseModel):
    accounts: int
    arr: Dollars


class RenewalsByBucket(BaseModel):
    """All four buckets."""

    green: RenewalTotal = Field(alias="Green")
    amber: RenewalTotal = Field(alias="Amber")
    red: RenewalTotal = Field(alias="Red")
    unscored: RenewalTotal = Field(alias="Unscored")


class Month(RenewalTotal):
    month: str = Field(pattern=r"^[0-9]{4}-[0-9]{2}$")
    by_bucket: RenewalsByBucket


_NO_RENEWALS: Final = {"accounts": 0, "arr": 0}


class Renewals(BaseModel):
    model_config = example({
        "months": [{
            "month": "2027-01", "accounts": 3, "arr": 150000,
            "by_bucket": {
                "Green": {"accounts": 2, "arr": 120000}, "Amber": {"accounts": 1, "arr": 30000},
                "Red": _NO_RENEWALS, "Unscored": _NO_RENEWALS,
            },
        }],
        "total_accounts": 3,
        "total_arr": 150000,
        "scores_as_of": "2026-11-23",
    })  # fmt: skip

    months: list[Month]
    total_accounts: int
    total_arr: Dollars
    scores_as_of: ScoresAsOf


class Mover(BaseModel):
    id: int
    name: str
    arr: Dollars
    from_: float = Field(
        alias="from",
        description="The score in force at the beginning of the window: that of the last snapshot "
        "at or before it, or the first one of an account that came later.",
    )
    to: float = Field(description="The current score.")
    change: float
    since: datetime = Field(description="When that snapshot was taken.")


class Movers(BaseModel):
    model_config = example({
        "down": [{
            "id": 77, "name": "Alder Ridge Logistics, Tampere", "arr": 120000, "from": 68.4,
            "to": 41.2, "change": -27.2, "since": "2026-10-26T06:00:00.000000Z",
        }],
        "up": [],
        "scores_as_of": "2026-11-23",
    })  # fmt: skip

    down: list[Mover]
    up: list[Mover]
    scores_as_of: ScoresAsOf


RESPONSE_MODELS: Final = (PortfolioMetrics, Attention, Renewals, Movers)
