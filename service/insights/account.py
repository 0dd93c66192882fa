"""Insights into one account: the prompt for a model, and the text by rule."""

from collections.abc import Sequence
from typing import Any, Final

from service.insights import figures, instructions, numbers
from service.insights.facts import AccountFacts
from service.insights.subject import Subject, quoted
from service.playbooks import PLAYBOOKS, Recommendation, recommend
from service.scoring import Factor, reasons, unknown
from service.scoring.factors import LABELS
from service.scoring.score import rounded_score

MOST_FACTORS: Final = 5
MOST_ACTIONS: Final = 3


def subject(facts: AccountFacts) -> Subject:
    found = recommend(reasons(facts.factors), facts.coverage, unknown(facts.factors))
    texts = {
        "name": facts.name,
        "segment": facts.segment,
        "industry": facts.industry,
        "region": facts.region,
    }
    return Subject(
        kind="account",
        head={
            "account_id": facts.id,
            "account_name": facts.name,
            "scores_as_of": facts.scores_as_of.isoformat(),
        },
        instructions=instructions.ACCOUNT,
        data=quoted({
            "account": texts,
            "bucket": facts.bucket,
            "renewal": facts.renewal,
            "names": ["account_name"],
            "figures": _figures(facts),
            "factors": [
                {"code": factor.code, "label": factor.label, "effect": _effect(factor)}
                for factor in facts.factors
            ],
            "playbooks": [
                {"id": book.id, "title": book.title, "description": book.description}
                for book in PLAYBOOKS
            ],
            "called_for": [recommendation.playbook.id for recommendation in found],
        }),
        placeholders={"account_name": numbers.name(facts.name), **_figures(facts)},
        account_texts=tuple(text for text in texts.values() if text),
        rules=_by_rule(facts, found),
    )  # fmt: skip


def _figures(facts: AccountFacts) -> dict[str, str]:
    """The known figures, by the names of their placeholders."""
    known = {"arr": figures.money(facts.arr), "known_share": figures.percent(facts.coverage)}
    if facts.score is not None:
        known["health_score"] = figures.number(rounded_score(facts.score))
    if facts.renewal_date is not None:
        known["renewal_date"] = facts.renewal_date.isoformat()
    if facts.opportunity:
        known["opportunity"] = figures.money(facts.opportunity)
    for factor in facts.factors:
        if (value := figures.value(factor)) is not None:
            known[factor.code] = value
        if factor.impact:
            known[f"{factor.code}_impact"] = figures.impact(factor)
    return known


def _effect(factor: Factor) -> str:
    if factor.status == "unknown":
        return "unknown"
    return "raises" if factor.impact > 0 else "lowers" if factor.impact < 0 else "neutral"


def _by_rule(facts: AccountFacts, found: Sequence[Recommendation]) -> dict[str, Any]:
    good = [_cited(factor) for factor in facts.factors if factor.impact > 0][:MOST_FACTORS]
    bad = [_cited(factor) for factor in facts.factors if factor.impact < 0][:MOST_FACTORS]
    missing = [LABELS[code] for code in unknown(facts.factors)]
    analysis = [
        f"Raised by {_listed(good)}." if good else "Nothing known raises the score.",
        f"Lowered by {_listed(bad)}." if bad else "Nothing known lowers the score.",
        *([f"Not known: {_listed(missing)}."] if missing else []),
    ]
    return {
        "summary": " ".join([_condition(facts), *_renewal(facts)]),
        "health_analysis": " ".join(analysis),
        "risk_factors": bad,
        "recommended_actions": [
            _action(facts, recommendation) for recommendation in found[:MOST_ACTIONS]
        ],
    }


def _condition(facts: AccountFacts) -> str:
    known = f"{figures.percent(facts.coverage)} of what makes up a score is known"
    if facts.score is None:
        return f"Too little is known of {facts.name} for a health score: {known}."
    score = figures.number(rounded_score(facts.score))
    return f"{facts.name} is {facts.bucket} with a health score of {score}; {known}."


def _renewal(facts: AccountFacts) -> list[str]:
    if facts.renewal_date is None:
        return []
    amount = f"The renewal of {figures.money(facts.arr)}"
    words = {"passed": "was due on", "near": "is near: it is due on", "later": "is due on"}
    return [f"{amount} {words[facts.renewal or 'later']} {facts.renewal_date.isoformat()}."]


def _action(facts: AccountFacts, recommendation: Recommendation) -> dict[str, Any]:
    playbook = recommendation.playbook
    addressed = [
        _cited(factor)
        for factor in facts.factors
        if factor.impact < 0 and factor.code in playbook.triggers
    ]
    impact = (
        f"Addresses {_listed(addressed)}."
        if addressed
        else f"Makes known: {_listed(recommendation.matching_risk_factors)}."
    )
    return {
        "title": playbook.title,
        "description": playbook.description,
        "priority": playbook.priority,
        "estimated_impact": impact,
        "playbook_id": playbook.id,
    }


def _cited(factor: Factor) -> str:
    """`Ticket volume (22 tickets in 30 days, -2.1 points)`"""
    parts = (figures.value(factor), figures.impact(factor))
    return f"{factor.label} ({', '.join(part for part in parts if part)})"


def _listed(parts: Sequence[str]) -> str:
    return (
        parts[0]
        if len(parts) == 1
        else f"{', '.join(parts[:-1])} and {parts[-1]}"
        if parts
        else "what is missing"
    )
