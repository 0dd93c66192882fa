"""Insights by rule: from the account's factors, with numbers of the database only."""

import re
from datetime import timedelta
from typing import Any

import pytest
from psycopg2.extensions import connection

from service.clock import today
from service.playbooks import find
from service.schema.responses.insights import AccountInsight, PortfolioInsight
from service.scoring.factors import LABELS
from service.scoring.score import rounded_score
from tests.service.insights import add, insight, numbers, reasons
from tests.service.lambda_api import Api, Response


def prose(content: dict[str, Any]) -> str:
    """All of its prose."""
    actions = content.get("recommended_actions", [])
    return "\n".join([
        content["summary"],
        content.get("health_analysis", ""),
        *content.get("risk_factors", []),
        *(action["estimated_impact"] for action in actions),
    ])  # fmt: skip


def of(service: Api, account_id: int) -> Response:
    return service.post(f"/insights/account/{account_id}")


def test_an_insight_into_an_account_cites_its_factors(
    service: Api, sql: connection, capsys: pytest.CaptureFixture[str]
) -> None:
    account_id = add(
        sql,
        "Harbour & Sons",
        renewal_date=today() + timedelta(days=20),
        nps=-60,
        critical_tickets_90d=4,
        qbr_last_date=today(),
    )
    response = of(service, account_id)
    AccountInsight.model_validate_json(response.text, strict=True, extra="forbid")
    found, account = insight(response, "rules"), service.get(f"/accounts/{account_id}").json
    assert (found["account_id"], found["account_name"], found["model"]) == (
        account_id,
        "Harbour & Sons",
        None,
    )
    assert (
        f"Harbour & Sons is {account['health_bucket']} with a health score of"
        f" {account['health_score']}" in found["summary"]
    )
    assert f"due on {account['renewal_date']}" in found["summary"]
    bad = [factor for factor in account["latest_health_factors"] if factor["impact"] < 0]
    assert [text.split(" (")[0] for text in found["risk_factors"]] == [
        factor["label"] for factor in bad
    ][:5]
    assert f"{bad[0]['impact']:.1f} points" in found["risk_factors"][0]
    assert f"Not known: {LABELS['feature_adoption']}" in found["health_analysis"]
    first = found["recommended_actions"][0]
    assert find(first["playbook_id"]).title == first["title"] == "Renewal rescue"  # type: ignore[union-attr]
    assert reasons(capsys) == ["not_configured"]


def test_every_number_is_one_of_the_account(sampled: Api) -> None:
    checked = 0
    for listed in sampled.get("/accounts", page_size=60).json["accounts"]:
        account = sampled.get(f"/accounts/{listed['id']}").json
        factors = account["latest_health_factors"]
        known = {
            account["health_score"],
            account["arr"],
            round(account["health_coverage"] * 100, 1),
            30,
            90,
        }
        known |= {abs(rounded_score(factor["impact"])) for factor in factors}
        known |= {
            abs(rounded_score(factor["value"] * scale))
            for factor in factors
            if factor["value"] is not None
            for scale in (1, 100)
        }
        text = (
            prose(insight(of(sampled, listed["id"]), "rules"))
            .replace(account["name"], "")
            .replace(str(account["renewal_date"]), "")
        )
        assert set(numbers(text)) - known == set(), text
        checked += len(numbers(text))
    assert checked > 500


def test_an_account_without_enough_data_gets_an_insight_that_says_so(
    service: Api, sql: connection
) -> None:
    account_id = add(sql, "Unknown Inc", nps=None, active_users=None)
    found = insight(of(service, account_id), "rules")
    assert found["summary"].startswith("Too little is known of Unknown Inc for a health score: 8%")
    assert found["recommended_actions"][0]["title"] == "Data hygiene"
    assert "Net promoter score" in found["recommended_actions"][0]["estimated_impact"]


def test_an_insight_into_the_portfolio_cites_its_metrics(
    sampled: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    response = sampled.post("/insights/portfolio")
    PortfolioInsight.model_validate_json(response.text, strict=True, extra="forbid")
    found, metrics = insight(response, "rules"), sampled.get("/portfolio/metrics").json
    assert (
        f"{metrics['total_accounts']} accounts hold ${metrics['total_arr']:,}" in found["summary"]
    )
    assert f"{metrics['accounts_by_risk']['Red']} Red" in found["summary"]
    assert f"${metrics['at_risk_arr']:,} of ARR is at risk" in found["key_findings"][0]
    at_risk = sampled.get("/accounts", bucket=["Amber", "Red"], sort="-arr", page_size=5).json[
        "accounts"
    ]
    assert [text.split(": ")[0] for text in found["top_risks"]] == [
        account["name"] for account in at_risk
    ]
    accounts = sampled.get("/accounts", page_size=100).json["accounts"]
    largest = sorted(
        accounts, key=lambda account: (-account["expansion_oppty_dollar"], account["id"])
    )[:5]
    assert [text.split(": ")[0] for text in found["opportunities"]] == [
        account["name"] for account in largest
    ]
    assert reasons(capsys) == ["not_configured"]


def test_an_insight_into_an_empty_portfolio_says_so(service: Api) -> None:
    found = insight(service.post("/insights/portfolio"), "rules")
    assert (found["summary"], found["top_risks"], found["opportunities"]) == (
        "There are no accounts yet.",
        [],
        [],
    )


def test_the_version_of_the_data_changes_with_the_data_alone(service: Api, sql: connection) -> None:
    first, second = add(sql, "First"), add(sql, "Second")
    before = {
        path: service.post(path).json["data_version"]
        for path in (f"/insights/account/{first}", "/insights/portfolio")
    }
    assert {path: service.post(path).json["data_version"] for path in before} == before
    assert all(re.fullmatch(r"[0-9a-f]{32}", version) for version in before.values())
    with sql.cursor() as cursor:
        cursor.execute("UPDATE accounts SET arr = 60000 WHERE id = %s", (second,))
    after = {path: service.post(path).json["data_version"] for path in before}
    assert after[f"/insights/account/{first}"] == before[f"/insights/account/{first}"]
    assert after["/insights/portfolio"] != before["/insights/portfolio"]
    with sql.cursor() as cursor:
        cursor.execute("UPDATE accounts SET renewal_date = '2031-01-01' WHERE id = %s", (first,))
    assert (
        service.post(f"/insights/account/{first}").json["data_version"]
        != before[f"/insights/account/{first}"]
    )


def test_an_unknown_account_has_no_insight(service: Api) -> None:
    assert of(service, 4711).status == 404
    assert service.post("/insights/account/x").status == 422
    assert service.post("/insights/portfolio", refresh="perhaps").status == 422
