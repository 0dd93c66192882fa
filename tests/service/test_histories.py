"""What an account was and did."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg2.extensions import connection

from service.schema.responses.histories import HealthHistory, MetricsHistory
from tests.service.lambda_api import Api

TODAY = datetime.now(UTC).date()


@pytest.fixture
def account_id(sampled: Api) -> int:
    return sampled.get("/accounts", page_size=1, bucket="Amber").json["accounts"][0]["id"]


def test_a_health_history_is_as_documented_newest_first_and_begins_with_the_present(
    sampled: Api, account_id: int
) -> None:
    response = sampled.get(f"/accounts/{account_id}/health-history")
    HealthHistory.model_validate_json(response.text, strict=True)
    found = response.json
    assert [snapshot["calculated_at"] for snapshot in found] == sorted(
        (snapshot["calculated_at"] for snapshot in found), reverse=True
    )
    account = sampled.get(f"/accounts/{account_id}").json
    assert (found[0]["score"], found[0]["risk_label"]) == (
        account["health_score"],
        account["health_bucket"],
    )
    assert found[0]["top_factors"] == account["latest_health_factors"][:5]
    assert {snapshot["account_id"] for snapshot in found} == {account_id}


def test_a_limit_keeps_the_newest(sampled: Api, account_id: int) -> None:
    everything = sampled.get(f"/accounts/{account_id}/health-history", limit=365).json
    assert len(everything) == 26
    assert sampled.get(f"/accounts/{account_id}/health-history", limit=3).json == everything[:3]
    assert len(sampled.get(f"/accounts/{account_id}/health-history").json) == 26


def test_days_count_back_from_the_newest_row_over_gaps(service: Api, sql: connection) -> None:
    with sql.cursor() as cursor:
        cursor.execute("INSERT INTO accounts (id, name, arr, segment) VALUES (1, 'a', 1, 'SMB')")
        for ago in (100, 104, 190, 400):
            cursor.execute(
                "INSERT INTO account_metrics_daily (account_id, date, logins) VALUES (1, %s, %s)",
                (TODAY - timedelta(ago), ago),
            )
    found = service.get("/accounts/1/metrics-history")
    MetricsHistory.model_validate_json(found.text, strict=True)
    assert [day["logins"] for day in found.json] == [100, 104]
    assert [day["logins"] for day in service.get("/accounts/1/metrics-history", days=91).json] == [
        100,
        104,
        190,
    ]
    assert [day["logins"] for day in service.get("/accounts/1/metrics-history", days=1).json] == [
        100
    ]
    assert set(found.json[0]) == {
        *(
            "id",
            "account_id",
            "date",
            "logins",
            "events",
            "feature_x_events",
            "errors",
            "ticket_backlog",
            "avg_session_min",
        ),
    }


def test_an_account_without_a_history_has_an_empty_one(service: Api, sql: connection) -> None:
    with sql.cursor() as cursor:
        cursor.execute("INSERT INTO accounts (id, name, arr, segment) VALUES (1, 'a', 1, 'SMB')")
    assert service.get("/accounts/1/health-history").json == []
    assert service.get("/accounts/1/metrics-history").json == []


@pytest.mark.parametrize("path", ["/accounts/0/health-history", "/accounts/0/metrics-history"])
def test_an_account_that_is_not_there_is_a_404(sampled: Api, path: str) -> None:
    assert sampled.get(path).status == 404


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("health-history", {"limit": 0}),
        ("health-history", {"limit": 366}),
        ("metrics-history", {"days": 366}),
        ("metrics-history", {"day": 3}),
    ],
)
def test_what_is_out_of_bounds_is_refused(
    sampled: Api, account_id: int, path: str, query: dict[str, Any]
) -> None:
    assert sampled.get(f"/accounts/{account_id}/{path}", **query).status == 422
