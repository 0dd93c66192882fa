"""Insights into the portfolio: the prompt for a model, and the text by rule.

No text of an account is part of the prompt.
"""

from collections.abc import Iterable
from string import ascii_lowercase
from typing import Any, Final

from service.insights import figures, instructions, numbers
from service.insights.facts import PortfolioFacts, TopAccount
from service.insights.subject import Subject, quoted
from service.scoring.factors import LABELS
from service.scoring.rules import BUCKET_NAMES
from service.scoring.score import rounded_score

MOST_REASONS: Final = 3

_COUNTS: Final = ("total_accounts", "total_tickets_30d", "total_critical_90d", "renewals_next_60d")
_DOLLARS: Final = ("total_arr", "at_risk_arr", "red_arr", "amber_arr")
_SCORES: Final = ("avg_health_score", "median_health_score")
_RATIOS: Final = ("avg_adoption_ratio", "avg_feature_adoption")
_PLACEHOLDER_NAMES: Final = {
    "total_tickets_30d": "tickets_last_month",
    "total_critical_90d": "critical_tickets_last_quarter",
    "renewals_next_60d": "renewals_next_two_months",
}
"""Placeholders without digits, which a model must not write."""


def subject(facts: PortfolioFacts) -> Subject:
    accounts = {account.id: account for account in (*facts.risks, *facts.opportunities)}
    aliases = {
        account_id: f"account_{letter}"
        for account_id, letter in zip(accounts, ascii_lowercase, strict=False)
    }
    known = _figures(facts.metrics)
    for account_id, alias in aliases.items():
        known |= {
            f"{alias}_{name}": text for name, text in _account_figures(accounts[account_id]).items()
        }
    names = {
        alias: numbers.name(accounts[account_id].name) for account_id, alias in aliases.items()
    }
    return Subject(
        kind="portfolio",
        head={"scores_as_of": facts.metrics["scores_as_of"]},
        instructions=instructions.PORTFOLIO,
        data=quoted({
            "names": list(names),
            "figures": known,
            "accounts": [
                *_listed("risk", facts.risks, aliases),
                *_listed("opportunity", facts.opportunities, aliases),
            ],
        }),
        placeholders={**known, **names},
        account_texts=(),
        rules=_by_rule(facts),
    )  # fmt: skip


def _figures(metrics: Any) -> dict[str, str]:
    known: dict[str, str] = {}
    for names, formatted in (
        (_COUNTS, figures.number),
        (_DOLLARS, figures.money),
        (_RATIOS, figures.percent),
    ):
        known |= {
            _PLACEHOLDER_NAMES.get(name, name): formatted(metrics[name])
            for name in names
            if metrics[name] is not None
        }
    known |= {
        name: figures.number(rounded_score(metrics[name]))
        for name in _SCORES
        if metrics[name] is not None
    }
    for bucket in BUCKET_NAMES:
        known[f"accounts_{bucket.lower()}"] = figures.number(metrics["accounts_by_risk"][bucket])
        known[f"arr_{bucket.lower()}"] = figures.money(metrics["arr_by_bucket"][bucket])
    return known


def _account_figures(account: TopAccount) -> dict[str, str]:
    known = {"arr": figures.money(account.arr)}
    if account.score is not None:
        known["score"] = figures.number(rounded_score(account.score))
    if account.opportunity:
        known["opportunity"] = figures.money(account.opportunity)
    return known


def _listed(
    name: str, accounts: Iterable[TopAccount], aliases: dict[int, str]
) -> list[dict[str, Any]]:
    return [
        {
            "name": aliases[account.id],
            "list": name,
            "segment": account.segment,
            "bucket": account.bucket,
            "lowered_by": [LABELS[code] for code in account.reasons],
        }
        for account in accounts
    ]


def _by_rule(facts: PortfolioFacts) -> dict[str, Any]:
    metrics = facts.metrics
    if not metrics["total_accounts"]:
        return {
            "summary": "There are no accounts yet.",
            "key_findings": [],
            "top_risks": [],
            "opportunities": [],
        }
    known = _figures(metrics)
    counts = ", ".join(f"{known[f'accounts_{bucket.lower()}']} {bucket}" for bucket in BUCKET_NAMES)
    average = known.get("avg_health_score")
    return {
        "summary": f"{known['total_accounts']} accounts hold {known['total_arr']} of ARR: {counts}."
        + (
            f" The average health score is {average}, the median {known['median_health_score']}."
            if average
            else ""
        ),
        "key_findings": _findings(known),
        "top_risks": [_risk(account) for account in facts.risks],
        "opportunities": [
            f"{account.name}: {figures.money(account.opportunity)}"
            f" beside {figures.money(account.arr)} of ARR."
            for account in facts.opportunities
        ],
    }


def _findings(known: dict[str, str]) -> list[str]:
    sentences = (
        "{at_risk_arr} of ARR is at risk: {red_arr} Red and {amber_arr} Amber.",
        "Renewals due within 60 days: {renewals_next_two_months}.",
        "On average {avg_adoption_ratio} of the seats are in use.",
        "Feature adoption averages {avg_feature_adoption}.",
        "Tickets in 30 days: {tickets_last_month};"
        " critical ones in 90 days: {critical_tickets_last_quarter}.",
    )
    found: list[str] = []
    for sentence in sentences:
        try:
            found.append(sentence.format(**known))
        except KeyError:  # a figure is unknown
            continue
    return found


def _risk(account: TopAccount) -> str:
    score = ""
    if account.score is not None:
        score = f", score {figures.number(rounded_score(account.score))}"
    reasons = ", ".join(LABELS[code] for code in account.reasons[:MOST_REASONS])
    return f"{account.name}: {account.bucket}{score}, {figures.money(account.arr)} of ARR" + (
        f"; lowered by {reasons}." if reasons else "."
    )
