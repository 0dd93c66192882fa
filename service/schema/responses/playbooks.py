"""The models of playbooks and their recommendation."""

import json
from typing import Any, Final, Literal

from pydantic import BaseModel, Field, RootModel

from service.playbooks import PLAYBOOKS, recommend
from service.schema.responses import Ratio
from service.schema.responses.examples import example

_DETRACTORS: Final = recommend(["nps"])[0]


def _json(value: Any) -> Any:
    """Return a value as JSON has it: tuples become lists."""
    return json.loads(json.dumps(value))


class Playbook(BaseModel):
    """What a customer-success manager can do. Its id never changes."""

    model_config = example(_json(PLAYBOOKS[0].as_json()))

    id: int
    title: str
    description: str
    category: str
    priority: Literal["High", "Medium", "Low"]
    estimated_effort: str
    triggers: list[str] = Field(description="Codes of the factors that it addresses.")
    risk_factors: list[str] = Field(description="Labels of these factors.")
    coverage_below: Ratio | None = Field(
        description="It addresses missing data: when less than this share of the score is known."
    )
    steps: list[str]


class Playbooks(RootModel[list[Playbook]]):
    """All playbooks, by id."""

    model_config = example(_json([playbook.as_json() for playbook in PLAYBOOKS[:2]]))


class Recommendation(BaseModel):
    playbook: Playbook
    relevance_score: Ratio
    matching_risk_factors: list[str] = Field(
        description="Labels of the factors that it addresses, or of those that are unknown."
    )


class Recommendations(BaseModel):
    """At most five, the most relevant first."""

    model_config = example(
        _json({
            "account_id": 77,
            "recommendations": [
                {**_DETRACTORS._asdict(), "playbook": _DETRACTORS.playbook.as_json()}
            ],
        })
    )  # fmt: skip

    account_id: int | None = Field(description="Null when risk factors were sent.")
    recommendations: list[Recommendation]


RESPONSE_MODELS: Final = (Playbook, Playbooks, Recommendations)
