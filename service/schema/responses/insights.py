"""The models of insights."""

from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel, Field

from service.schema.responses import ScoresAsOf
from service.schema.responses.examples import example

_ORIGIN: Final = {
    "generated_at": "2026-11-23T09:00:00.000000Z",
    "source": "rules",
    "model": None,
    "scores_as_of": "2026-11-23",
    "data_version": "8e3f0a3c5d1b4f6e9a7c2d4b6f8e0a1c",
}


class Action(BaseModel):
    title: str
    description: str
    priority: Literal["High", "Medium", "Low"]
    estimated_impact: str
    playbook_id: int | None


class Origin(BaseModel):
    """When and how an insight was written."""

    generated_at: datetime
    source: Literal["model", "rules"] = Field(
        description="`rules`: no model is configured, or its response was not usable."
    )
    model: str | None = Field(description="The model's name.")
    scores_as_of: ScoresAsOf
    data_version: str = Field(description="A hash of the data that the insight is based on.")


class AccountInsight(Origin):
    """The insight of an account. Its numbers are from the database."""

    model_config = example({
        "account_id": 77,
        "account_name": "Alder Ridge Logistics, Tampere",
        "summary": "Alder Ridge Logistics, Tampere is Amber with a health score of 61.3; "
        "90% of what makes up a score is known.",
        "health_analysis": "Raised by Feature adoption (80%, +3 points). "
        "Lowered by Critical tickets (3 tickets in 90 days, -0.9 points).",
        "risk_factors": ["Critical tickets (3 tickets in 90 days, -0.9 points)"],
        "recommended_actions": [
            {
                "title": "Technical clean-up",
                "description": "Clear the open incidents and remove what keeps causing them.",
                "priority": "High",
                "estimated_impact": "Addresses Critical tickets (3 tickets in 90 days, "
                "-0.9 points).",
                "playbook_id": 3,
            }
        ],
        **_ORIGIN,
    })  # fmt: skip

    account_id: int
    account_name: str
    summary: str
    health_analysis: str
    risk_factors: list[str]
    recommended_actions: list[Action]


class PortfolioInsight(Origin):
    """The insight of all accounts. Its numbers are from the database."""

    model_config = example({
        "summary": "2 accounts hold $150,000 of ARR: 1 Green, 1 Amber, 0 Red, 0 Unscored.",
        "key_findings": ["$30,000 of ARR is at risk: $0 Red and $30,000 Amber."],
        "top_risks": [
            "Birch Cove Supply, Lyon: Amber, score 56.9, $30,000 of ARR; lowered by Ticket volume."
        ],
        "opportunities": ["Alder Ridge Logistics, Tampere: $12,000 beside $120,000 of ARR."],
        **_ORIGIN,
    })  # fmt: skip

    summary: str
    key_findings: list[str]
    top_risks: list[str] = Field(description="The largest accounts at risk.")
    opportunities: list[str] = Field(description="The accounts with the largest opportunity.")


RESPONSE_MODELS: Final = (AccountInsight, PortfolioInsight)
