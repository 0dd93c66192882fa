"""How relevant each playbook is to an account's reasons.

Relevance is 0..1. Each reason that a playbook answers closes a part of what is left to 1: the playbook's weight for it, which fades
with each weightier reason before it. A renewal at risk does not fade: its time runs out. Missing data counts by how much is missing.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from service.playbooks.catalogue import PLAYBOOKS, Playbook
from service.scoring.factors import LABELS
from service.scoring.rules import RENEWAL

MOST: Final = 5
"""Recommendations at once."""
FADE: Final = 0.8
DIGITS: Final = 3

_ANSWERS: Final = {
    code: tuple(
        (index, dict(playbook.weights)[code])
        for index, playbook in enumerate(PLAYBOOKS)
        if code in playbook.triggers
    )
    for code in LABELS
}
"""By factor code, the places of the playbooks that answer it, and how well."""

_BY_COVERAGE: Final = tuple(
    (index, book.coverage_below)
    for index, book in enumerate(PLAYBOOKS)
    if book.coverage_below is not None
)


class Recommendation(NamedTuple):
    """`matching_risk_factors` are labels: the reasons that it answers, or what is unknown when it answers that."""

    playbook: Playbook
    relevance_score: float
    matching_risk_factors: list[str]


def best(reason_codes: Iterable[str], coverage: float) -> int | None:
    """The id of the most relevant playbook, None when nothing calls for one.

    `reason_codes`: distinct codes of the factors with a negative impact, the weightiest first, as `scoring.reasons` gives them.
    The same playbook as the first of `recommend`.
    """
    relevance = _relevance(reason_codes, coverage)
    highest = max(relevance)
    return PLAYBOOKS[relevance.index(highest)].id if highest else None


def recommend(
    reason_codes: Sequence[str], coverage: float | None = None, unknown: Sequence[str] = ()
) -> list[Recommendation]:
    """The most relevant playbooks, at most five.

    `reason_codes`: as for `best`. `coverage`: 0..1, None when no account is meant. `unknown`: codes of its unknown components.
    """
    reasons = list(dict.fromkeys(reason_codes))
    relevance = _relevance(reasons, coverage)
    order = sorted(range(len(PLAYBOOKS)), key=lambda index: -relevance[index])
    return [
        Recommendation(
            PLAYBOOKS[index],
            round(relevance[index], DIGITS),
            _matching(PLAYBOOKS[index], reasons, unknown),
        )
        for index in order[:MOST]
        if relevance[index]
    ]


def _matching(playbook: Playbook, reasons: Sequence[str], unknown: Sequence[str]) -> list[str]:
    codes = (
        [code for code in reasons if code in playbook.triggers]
        if playbook.coverage_below is None
        else unknown
    )
    return [LABELS[code] for code in codes]


def _relevance(reason_codes: Iterable[str], coverage: float | None) -> list[float]:
    """In the order of `PLAYBOOKS`."""
    left, strength = [1.0] * len(PLAYBOOKS), 1.0
    for code in reason_codes:
        answers = _ANSWERS.get(code)
        if answers:
            for index, weight in answers:
                left[index] *= 1 - weight * (1.0 if code == RENEWAL.code else strength)
            strength *= FADE
    if coverage is not None:
        for index, below in _BY_COVERAGE:
            if coverage < below:
                left[index] *= coverage
    return [1 - part for part in left]
