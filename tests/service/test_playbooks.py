"""The ten playbooks, each of which is the best one for some account."""

import random
from typing import Any

import pytest

from service.playbooks import PLAYBOOKS, best, find, recommend
from service.playbooks.catalogue import DATA_HYGIENE
from service.schema.responses.playbooks import Playbook, Playbooks
from service.scoring import Inputs, factors, reasons, score, unknown
from service.scoring.factors import LABELS
from tests.service.lambda_api import Api, api

STEADY: dict[str, Any] = {
    "arr": 100_000,
    "seats_purchased": 100,
    "active_users": 80,
    "feature_x_adoption": 0.8,
    "weekly_active_pct": 0.8,
    "session_minutes": 30,
    "time_to_value_days": 20,
    "tickets_last_30d": 3,
    "critical_tickets_90d": 0,
    "sla_breaches_90d": 0,
    "nps": 50,
    "days_since_review": 20,
    "onboarding_phase": False,
    "days_to_renewal": 200,
}
"""An account that nothing is wrong with."""

UNMEASURED = dict.fromkeys(
    set(STEADY) - {"arr", "tickets_last_30d", "critical_tickets_90d", "sla_breaches_90d"}
)

ACCOUNTS: dict[str, tuple[str, dict[str, Any]]] = {
    "a sponsor who has seen no value for months": (
        "Executive value review",
        {"days_since_review": 150, "time_to_value_days": 80, "nps": -20},
    ),
    "a product of which the main feature lies idle": (
        "Feature campaign",
        {"feature_x_adoption": 0.1},
    ),
    "critical tickets, breaches and many tickets": (
        "Technical clean-up",
        {"critical_tickets_90d": 4, "sla_breaches_90d": 2, "tickets_last_30d": 20},
    ),
    "idle seats and short visits": ("User training", {"active_users": 30, "session_minutes": 9}),
    "a review that is overdue while all else is well": (
        "Quarterly goal planning",
        {"days_since_review": 110},
    ),
    "few who come back each week": (
        "Champion building",
        {"weekly_active_pct": 0.1, "active_users": 40},
    ),
    "detractors": ("Detractor follow-up", {"nps": -60}),
    "an onboarding that does not end": (
        "Integration review",
        {"onboarding_phase": True, "time_to_value_days": 80},
    ),
    "a near renewal of idle seats": ("Renewal rescue", {"active_users": 30, "days_to_renewal": 20}),
    "an account that hardly anything is known of": ("Data hygiene", UNMEASURED),
}


def reasons_of(**changes: Any) -> tuple[list[str], float, list[str]]:
    """Reasons, coverage and unknown components of a steady account with changes."""
    scored = score(Inputs(**{**STEADY, **changes}))
    found = factors(scored.values, scored.points, scored.adjustments)
    return reasons(found), scored.coverage, unknown(found)


@pytest.mark.parametrize(("title", "changes"), ACCOUNTS.values(), ids=ACCOUNTS)
def test_each_playbook_is_the_first_for_some_account(title: str, changes: dict[str, Any]) -> None:
    assert recommend(*reasons_of(**changes))[0].playbook.title == title


def test_all_ten_have_such_an_account() -> None:
    assert {title for title, _ in ACCOUNTS.values()} == {playbook.title for playbook in PLAYBOOKS}
    assert [playbook.id for playbook in PLAYBOOKS] == list(range(1, 11))


def test_a_steady_account_needs_nothing() -> None:
    codes, coverage, missing = reasons_of()
    assert recommend(codes, coverage, missing) == []
    assert best(codes, coverage) is None


def test_the_best_is_always_the_first_recommendation() -> None:
    draw, seen = random.Random(4), set[int | None]()
    for _ in range(3000):
        codes = draw.sample(list(LABELS), draw.randrange(len(LABELS) + 1))
        coverage = draw.choice([0.0, 0.2, 0.45, 0.6, 1.0, draw.random()])
        found = recommend(codes, coverage)
        assert best(codes, coverage) == (found[0].playbook.id if found else None)
        seen.add(best(codes, coverage))
    assert len(seen) == 11


def test_relevance_falls_stays_within_bounds_and_grows_with_each_reason() -> None:
    draw = random.Random(5)
    for _ in range(500):
        codes = draw.sample(list(LABELS), draw.randrange(1, len(LABELS) + 1))
        found = recommend(codes)
        scores = [recommendation.relevance_score for recommendation in found]
        assert scores == sorted(scores, reverse=True)
        assert all(0 < each <= 1 for each in scores)
        assert len(found) <= 5
        more = {
            recommendation.playbook.id: recommendation.relevance_score
            for recommendation in recommend([*codes, "nps"])
        }
        for recommendation in found:
            assert more.get(recommendation.playbook.id, 1) >= recommendation.relevance_score


def test_a_near_renewal_of_idle_seats_comes_before_whatever_else_is_wrong() -> None:
    everything = reasons_of(
        active_users=20, feature_x_adoption=0, weekly_active_pct=0, session_minutes=5,
            time_to_value_days=90, tickets_last_30d=30,
        critical_tickets_90d=5, sla_breaches_90d=3, nps=-100, days_since_review=120,
            onboarding_phase=True, days_to_renewal=5,
    )  # fmt: skip
    assert recommend(*everything)[0].playbook.title == "Renewal rescue"


def test_a_recommendation_names_the_reasons_that_its_playbook_addresses() -> None:
    (first, *_) = recommend(["critical_tickets", "nps", "sla_breaches", "critical_tickets"])
    assert (first.playbook.title, first.matching_risk_factors) == (
        "Technical clean-up",
        ["Critical tickets", "SLA breaches"],
    )


def test_data_hygiene_names_the_unknown_components() -> None:
    codes, coverage, missing = reasons_of(**UNMEASURED)
    (hygiene,) = (
        found for found in recommend(codes, coverage, missing) if found.playbook.id == DATA_HYGIENE
    )
    assert hygiene.matching_risk_factors == [LABELS[code] for code in missing]
    assert "Seat utilisation" in hygiene.matching_risk_factors


def test_every_factor_that_can_lower_the_score_triggers_a_playbook() -> None:
    triggers = {code for playbook in PLAYBOOKS for code in playbook.triggers}
    assert set(LABELS) - triggers == {"expansion_opportunity", "limit"}, "these are no trouble"
    assert all(0 < weight < 1 for playbook in PLAYBOOKS for _, weight in playbook.weights)


def test_the_list_has_all_of_them_and_each_has_a_page_of_its_own() -> None:
    alone = api()
    response = alone.get("/playbooks")
    listed = Playbooks.model_validate_json(response.text, strict=True)
    assert (response.status, [playbook.id for playbook in listed.root]) == (200, list(range(1, 11)))
    for playbook in listed.root:
        one = alone.get(f"/playbooks/{playbook.id}")
        assert Playbook.model_validate_json(one.text, strict=True, extra="forbid") == playbook
        assert playbook.risk_factors == [LABELS[code] for code in playbook.triggers]
        assert len(playbook.steps) >= 3
    assert find(3) is not None


@pytest.mark.parametrize(
    ("path", "status"),
    [("11", 404), ("0", 404), ("-1", 404), ("x", 422), ("1.5", 422), (str(2**63), 422)],
)
def test_there_is_no_other_playbook(path: str, status: int) -> None:
    assert api().get(f"/playbooks/{path}").status == status


def test_a_read_of_playbooks_needs_no_database(service: Api) -> None:
    assert api().get("/playbooks").text == service.get("/playbooks").text
