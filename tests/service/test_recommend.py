"""Recommendations for an account that is stored, or for risk factors that are sent."""

import json
from typing import Any

import pytest
from psycopg2.extensions import connection

from service.playbooks import best
from service.schema.responses.playbooks import Recommendations
from tests.service.lambda_api import Api, Response, api


def recommended(response: Response) -> list[Any]:
    assert response.status == 200, response.text
    return Recommendations.model_validate_json(
        response.text, strict=True, extra="forbid"
    ).recommendations


def ask(service: Api, body: Any, **query: Any) -> Response:
    return service.post(
        "/actions/recommend", body=body if isinstance(body, str) else json.dumps(body), **query
    )


def test_every_stored_account_gets_what_its_own_factors_call_for(sampled: Api) -> None:
    accounts = sampled.get("/accounts", page_size=60).json["accounts"]
    firsts = set[int | None]()
    for account in accounts:
        details = sampled.get(f"/accounts/{account['id']}").json
        codes = [
            factor["code"] for factor in details["latest_health_factors"] if factor["impact"] < 0
        ]
        response = sampled.post("/actions/recommend", account_id=account["id"])
        found = recommended(response)
        assert response.json["account_id"] == account["id"]
        first = found[0].playbook.id if found else None
        assert first == best(codes, details["health_coverage"])
        firsts.add(first)
    assert len(firsts) >= 5, "the samples are various"


def test_an_account_that_was_never_scored_needs_its_data(service: Api, sql: connection) -> None:
    with sql.cursor() as cursor:
        cursor.execute(
            "INSERT INTO accounts (name, arr, segment) VALUES ('new', 1, 'SMB') RETURNING id"
        )
        (account_id,) = cursor.fetchone() or (0,)
    assert (
        recommended(service.post("/actions/recommend", account_id=account_id))[0].playbook.title
        == "Data hygiene"
    )


def test_codes_and_labels_may_be_sent_in_any_case_without_a_database() -> None:
    responses = [
        ask(api(), body)
        for body in (
            ["nps", "ticket_volume"],
            ["NET PROMOTER SCORE", "Ticket volume"],
            ["nps", "nps", "ticket_volume"],
        )
    ]
    assert len({response.text for response in responses}) == 1
    assert responses[0].json["account_id"] is None
    first = recommended(responses[0])[0]
    assert (first.playbook.title, first.relevance_score, first.matching_risk_factors) == (
        "Detractor follow-up",
        0.7,
        ["Net promoter score"],
    )


def test_the_first_factor_that_is_sent_weighs_most() -> None:
    assert (
        recommended(ask(api(), ["feature_adoption", "weekly_activity"]))[0].playbook.title
        == "Feature campaign"
    )
    assert (
        recommended(ask(api(), ["review_recency", "nps"]))[0].playbook.title
        != recommended(ask(api(), ["nps"]))[0].playbook.title
    )


def test_a_factor_that_is_no_trouble_calls_for_nothing() -> None:
    assert recommended(ask(api(), ["expansion_opportunity"])) == []


def test_an_unknown_account_is_not_found(service: Api) -> None:
    assert service.post("/actions/recommend", account_id=4711).status == 404


def test_an_unknown_factor_is_refused_by_its_index_and_not_repeated() -> None:
    response = ask(api(), ["nps", "hunter2", "churn"])
    assert response.status == 422
    assert [error["loc"] for error in response.json["errors"]] == [["body", 1], ["body", 2]]
    assert {error["code"] for error in response.json["errors"]} == {"unknown_factor"}
    assert "hunter2" not in response.text


@pytest.mark.parametrize(
    ("body", "query"),
    [
        (None, {}),
        ('["nps"]', {"account_id": 1}),
        ("null", {}),
        ("{}", {}),
        ("[]", {}),
        ('"nps"', {}),
        ("[1]", {}),
        ("[null]", {}),
        ('[["nps"]]', {}),
        ('["nps"', {}),
        ("[NaN]", {}),
        (json.dumps(["nps"] * 51), {}),
        (json.dumps(["x" * 101]), {}),
        ('["\\ud800"]', {}),
        ('["\\u0000"]', {}),
        ("[" * 5000, {}),
        (None, {"account_id": "x"}),
        (None, {"account_id": 2**63}),
        (None, {"account": 1}),
    ],
)
def test_what_is_neither_an_account_nor_a_list_of_factors_is_refused(
    body: str | None, query: dict[str, Any]
) -> None:
    response = api().post("/actions/recommend", body=body, **query)
    assert response.status == 422, response.text
    assert response.json["errors"]
