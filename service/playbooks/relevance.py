"""Computes how relevant each playbook is to an account, from 0 to 1.

Relevance is 1 - (1 - w1)(1 - w2)…, with a factor for each reason that the playbook addresses: its
weight for the reason, times `FADE` for every reason with a larger impact that any playbook
addresses. A renewal at risk does not fade, because it is urgent. The relevance of the playbook for
missing data is the part of the score that is unknown.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from service.playbooks.catalogue import PLAYBOOKS, Playbook
from service.scoring.factors import LABELS
from service.scoring.rules import RENEWAL

MOST: Final = 5
"""Recommendations in one response."""
FADE: Final = 0.8
DIGITS: Final = 3

_ADDRESSED_BY: Final = {
    code: tuple(
        (index, dict(playbook.weights)[code])
        for index, playbook in enumerate(PLAYBOOKS)
        if code in playbook.triggers
    )
    for code in LABELS
}
"""By factor code, the index and the weight of each playbook that addresses it."""

_BY_COVERAGE: Final = tuple(
    (index, book.coverage_below)
    for index, book in enumerate(PLAYBOOKS)
    if book.coverage_below is not None
)


class Recommendation(NamedTuple):
    """`matching_risk_factors` are labels of the reasons, or of the unknown components."""

    playbook: Playbook
    relevance_score: float
    matching_risk_factors: list[str]


def best(reason_codes: Iterable[str], coverage: float) -> int | None:
    """Return the id of the most relevant playbook, the first of `recommend`, or None.

    `reason_codes` are the distinct codes of the factors with a negative impact, sorted by impact,
    as `scoring.reasons` returns them.
    """
    relevance = _relevance(reason_codes, coverage)
    highest = max(relevance)
    return PLAYBOOKS[relevance.index(highest)].id if highest else None


def recommend(
    reason_codes: Sequence[str], coverage: float | None = None, unknown: Sequence[str] = ()
) -> list[Recommendation]:
    """Return the most relevant playbooks, at most `MOST`.

    `reason_codes` are those of `best`. `coverage` is 0..1, None if the reasons are not those of an
    account; `unknown` are the codes of its unknown components.
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
    """The relevance of each playbook, in the order of `PLAYBOOKS`."""
    left, strength = [1.0] * len(PLAYBOOKS), 1.0
    for code in reason_codes:
        playbooks = _ADDRESSED_BY.get(code)
        if playbooks:
            for index, weight in playbooks:
                left[index] *= 1 - weight * (1.0 if code == RENEWAL.code else strength)
            strength *= FADE
    if coverage is not None:
        for index, below in _BY_COVERAGE:
            if coverage < below:
                left[index] *= coverage
    return [1 - part for part in left]
