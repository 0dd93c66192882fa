"""The models of an account's history."""

from datetime import datetime
from typing import Final

from pydantic import BaseModel, Field, RootModel

from service.schema.columns import DAY_COLUMNS
from service.schema.responses import Factor, Ratio, columns_model
from service.schema.responses.examples import example
from service.scoring.rules import Bucket


class Snapshot(BaseModel):
    """An account's score at one time."""

    id: int
    account_id: int
    calculated_at: datetime
    score: float | None = Field(
        description="From 0 to 100 with one decimal; null when too little was known."
    )
    risk_label: Bucket | None = Field(description="The bucket.")
    coverage: Ratio
    top_factors: list[Factor] = Field(description="The five with the largest impact.")


class HealthHistory(RootModel[list[Snapshot]]):
    model_config = example([{
        "id": 1, "account_id": 77, "calculated_at": "2026-11-23T06:00:00.000000Z",
        "score": 75.6, "risk_label": "Green", "coverage": 0.9, "top_factors": [],
    }])  # fmt: skip


class _OfAccount(BaseModel):
    id: int
    account_id: int


_DayColumns = columns_model("_DayColumns", _OfAccount, DAY_COLUMNS)


class DailyMetrics(_DayColumns):
    """The metrics of an account on one day. Null means unknown, which is not zero."""


class MetricsHistory(RootModel[list[DailyMetrics]]):
    model_config = example(
        [{"id": 1, "account_id": 77, **{column.name: column.example for column in DAY_COLUMNS}}]
    )


RESPONSE_MODELS: Final = (HealthHistory, MetricsHistory)
