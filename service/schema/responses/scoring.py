"""The score's table of constants, and a score that is supposed."""

from typing import Final

from pydantic import BaseModel, Field

from service.schema.responses import Factor, Ratio
from service.schema.responses.examples import example
from service.scoring import factors, score
from service.scoring.published import scheme
from service.scoring.rules import Bucket
from service.scoring.score import Inputs, rounded_score

_SUPPOSED: Final = score(
    Inputs(arr=0, nps=40, tickets_last_30d=3, critical_tickets_90d=1, sla_breaches_90d=0)
)


class ScoredComponent(BaseModel):
    """`max` points at `best`, none at `worst`, linear between them and clamped to them."""

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
    """What is added to the components, as a factor of its own."""

    code: str
    label: str
    parameters: dict[str, float] = Field(description="The numbers that it goes by.")


class BucketFloor(BaseModel):
    name: Bucket
    min: float = Field(description="The lowest score of the bucket.")


class Scoring(BaseModel):
    """All constants of the score."""

    model_config = example(scheme())

    groups: list[ScoreGroup]
    adjustments: list[Adjustment]
    buckets: list[BucketFloor] = Field(description="Best first.")
    coverage_min: Ratio = Field(description="Below it too little is known for a score.")
    session_rows: int = Field(description="Daily rows, the newest, whose minutes are averaged.")
    onboarding_days: int = Field(
        description="Days of time to value after which an onboarding that goes on is late."
    )


class WhatIfScore(BaseModel):
    """The score of an account that would be so."""

    model_config = example({
        "score": None if _SUPPOSED.value is None else rounded_score(_SUPPOSED.value),
        "bucket": _SUPPOSED.bucket,
        "coverage": _SUPPOSED.coverage,
        "factors": [factor._asdict() for factor in factors(_SUPPOSED.values, _SUPPOSED.points, _SUPPOSED.adjustments)],
    })  # fmt: skip

    score: float | None = Field(
        description="0..100 with one decimal; null when too little is known."
    )
    bucket: Bucket | None
    coverage: Ratio
    factors: list[Factor] = Field(description="All of them, the weightiest first.")


RESPONSE_MODELS: Final = (Scoring, WhatIfScore)
