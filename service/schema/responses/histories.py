"""The shapes of what an account was and did."""

from datetime import date, datetime
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, RootModel

from service.schema.responses import Factor, Ratio
from service.scoring.rules import Bucket


class Snapshot(BaseModel):
    id: int
    account_id: int
    calculated_at: datetime
    score: float | None = Field(
        description="0..100 with one decimal; null when too little was known."
    )
    risk_label: Bucket | None = Field(description="The bucket.")
    coverage: Ratio
    top_factors: list[Factor] = Field(description="The five weightiest.")


class HealthHistory(RootModel[list[Snapshot]]):
    model_config = ConfigDict(json_schema_extra={
        "examples": [[{
            "id": 1, "account_id": 77, "calculated_at": "2026-11-23T06:00:00.000000Z", "score": 75.6, "risk_label": "Green",
            "coverage": 0.9, "top_factors": [],
        }]]
    })  # fmt: skip


class DailyMetrics(BaseModel):
    """Null is unknown, which is not zero."""

    id: int
    account_id: int
    date: date
    logins: int | None
    events: int | None
    feature_x_events: int | None
    errors: int | None
    ticket_backlog: int | None
    avg_session_min: float | None


class MetricsHistory(RootModel[list[DailyMetrics]]):
    model_config = ConfigDict(json_schema_extra={
        "examples": [[{
            "id": 1, "account_id": 77, "date": "2026-11-22", "logins": 41, "events": 480, "feature_x_events": 120, "errors": 2,
            "ticket_backlog": 1, "avg_session_min": 24.5,
        }]]
    })  # fmt: skip


RESPONSE_MODELS: Final = (HealthHistory, MetricsHistory)
