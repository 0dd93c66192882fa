"""The models of the score's constants and of a what-if score."""

from typing import Final

from pydantic import BaseModel, Field

from service.schema.responses import Factor, Ratio
from service.schema.responses.examples import example
from service.scoring import factors, score
from service.scoring.published import scheme
from service.scoring.rules import Bucket
from service.scoring.score import Inputs, rounded_score

_SCORED: Final = score(
    Inputs(arr=0, nps=40, tickets_last_30d=3, critical_tickets_90d=1, sla_breaches_90d=0)
)


class ScoredComponent(BaseModel):
    """`max` points at `best`, none at `worst`, linear between them and clamped."""

    code: str
    label: str
    max: int
    best: float
    worst: float
    unit: str


class ScoreGroup(BaseModel):
    name: str
    max: int = Field(description="The sum of its components' points.")
    components: list[ScoredComponent]


class Adjustment(BaseModel):
    """Points that are added to those of the components, as a separate factor."""

    code: str
    label: str
    parameters: dict[str, float] = Field(description="Its constants.")


class BucketFloor(BaseModel):
    name: Bucket
    min: float = Field(description="The lowest score of the bucket.")


class Scoring(BaseModel):
    """All constants of the score."""

    model_config = example(scheme())

    groups: list[ScoreGroup]
    adjustments: list[Adjustment]
    buckets: list[BucketFloor] = Field(description="The best bucket first.")
    coverage_min: Ratio = Field(description="Below this coverage an account has no score.")
    session_rows: int = Field(
        description="The number of newest daily rows whose session minutes are averaged."
    )
    onboarding_days: int = Field(
        description="Days after which an account that is still onboarding is late."
    )


class WhatIfScore(BaseModel):
    """The score that an account with the given values would have."""

    model_config = example({
        "score": None if _SCORED.value is None else rounded_score(_SCORED.value),
        "bucket": _SCORED.bucket,
        "coverage": _SCORED.coverage,
        "factors": [
            factor._asdict()
            for factor in factors(_SCORED.values, _SCORED.points, _SCORED.adjustments)
        ],
    })  # fmt: skip

    score: float | None = Field(
        description="From 0 to 100 with one decimal; null when too little is known."
    )
    bucket: Bucket | None
    coverage: Ratio
    factors: list[Factor] = Field(description="All factors, the largest impact first.")


RESPONSE_MODELS: Final = (Scoring, WhatIfScore)
