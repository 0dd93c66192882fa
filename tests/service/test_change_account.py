"""One account changed, and scored again in the same transaction."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg2.extensions import connection

from service.database.connection import Database
from service.queries import changes
from service.schema.columns import ACCOUNT_COLUMNS
from service.schema.responses import Account
from tests.service.lambda_api import Api

TODAY = datetime.now(UTC).date()


@pytest.fixture
def account(service: Api) -> dict[str, Any]:
    service.post("/ingest/generate-mock", count=1, seed=3)
    return service.get("/accounts").json["accounts"][0]


def test_what_is_given_changes_what_is_not_stays_and_the_score_follows(
    service: Api, account: dict[str, Any]
) -> None:
    changed = service.patch(
        f"/accounts/{account['id']}",
        {"nps": 100, "cs_owner": "  Robin Vale ", "renewal_date": None},
    )
    assert changed.status == 200
    told = Account.model_validate_json(changed.text, strict=True, extra="forbid")
    assert (told.nps, told.cs_owner, told.renewal_date) == (100, "Robin Vale", None)
    score = {
        "nps",
        "cs_owner",
        "renewal_date",
        "updated_at",
        "health_score",
        "health_bucket",
        "latest_health_factors",
    }
    before = service.get(f"/accounts/{account['id']}").json
    assert before == changed.json
    assert {name: value for name, value in before.items() if name not in score} == {
        name: value for name, value in account.items() if name not in score
    }
    assert (
        next(factor for factor in changed.json["latest_health_factors"] if factor["code"] == "nps")[
            "points"
        ]
        == 15
    )
    assert changed.json["updated_at"] > account["updated_at"]
    history = service.get(f"/accounts/{account['id']}/health-history", limit=1).json
    assert history[0]["score"] == changed.json["health_score"]


def test_every_column_but_the_id_can_be_changed(service: Api, account: dict[str, Any]) -> None:
    values = {
        "name": "Other", "external_id": "crm-1", "arr": 12.5, "segment": "Enterprise", "industry": "Energy", "region": "APAC", "cs_owner": "Ada", "renewal_date": "2027-03-01",
        "qbr_last_date": "2026-01-02", "active_users": 3, "seats_purchased": 4, "feature_x_adoption": 0.25, "weekly_active_pct": 1,
        "time_to_value_days": 5, "tickets_last_30d": 6, "critical_tickets_90d": 7, "sla_breaches_90d": 8, "nps": -9,
        "onboarding_phase": True, "expansion_oppty_dollar": 10.25, "renewal_risk": "High",
    }  # fmt: skip
    assert set(values) == {column.name for column in ACCOUNT_COLUMNS}
    changed = service.patch(f"/accounts/{account['id']}", values).json
    assert {name: changed[name] for name in values} == values
    unknown = {
        column.name: None
        for column in ACCOUNT_COLUMNS
        if not column.required and column.default is None
    }
    changed = service.patch(f"/accounts/{account['id']}", unknown).json
    assert all(changed[name] is None for name in unknown)


def test_what_is_the_same_already_is_not_written(
    service: Api, account: dict[str, Any], sql: connection
) -> None:
    same = {
        name: account[name] for name in ("arr", "nps", "region", "renewal_date", "onboarding_phase")
    }
    state = "SELECT (SELECT xmin::text FROM accounts), (SELECT xmin::text FROM account_health), (SELECT count(*) FROM health_snapshots)"
    with sql.cursor() as cursor:
        cursor.execute(state)
        before = cursor.fetchall()
        assert (
            service.patch(f"/accounts/{account['id']}", same).json["updated_at"]
            == account["updated_at"]
        )
        assert (
            service.patch(f"/accounts/{account['id']}", {}).json["updated_at"]
            == account["updated_at"]
        )
        cursor.execute(state)
        assert cursor.fetchall() == before


REFUSED: list[tuple[Any, str]] = [
    ({"name": None}, "name"),
    ({"name": " "}, "name"),
    ({"external_id": "x" * 256}, "external_id"),
    ({"id": 5}, "id"),
    ({"healthscore": 5}, "healthscore"),
    ({"arr": None}, "arr"),
    ({"arr": -1}, "arr"),
    ({"arr": 1e13}, "arr"),
    ({"arr": "5"}, "arr"),
    ({"segment": None}, "segment"),
    ({"segment": "smb"}, "segment"),
    ({"expansion_oppty_dollar": None}, "expansion_oppty_dollar"),
    ({"industry": ""}, "industry"),
    ({"industry": "a\u0000b"}, "industry"),
    ({"region": "x" * 51}, "region"),
    ({"renewal_date": "31/12/2026"}, "renewal_date"),
    ({"renewal_date": "10000-01-01"}, "renewal_date"),
    ({"seats_purchased": 0}, "seats_purchased"),
    ({"active_users": 2**31}, "active_users"),
    ({"active_users": 1.5}, "active_users"),
    ({"active_users": True}, "active_users"),
    ({"feature_x_adoption": 1.01}, "feature_x_adoption"),
    ({"nps": 101}, "nps"),
    ({"onboarding_phase": 1}, "onboarding_phase"),
    ({"renewal_risk": "high"}, "renewal_risk"),
]


@pytest.mark.parametrize(("content", "field"), REFUSED)
def test_what_no_account_may_be_is_refused_by_field(
    service: Api, account: dict[str, Any], content: Any, field: str
) -> None:
    answer = service.patch(f"/accounts/{account['id']}", {"nps": 7, **content})
    assert answer.status == 422
    assert {tuple(error["loc"][:2]) for error in answer.json["errors"]} == {("body", field)}
    assert service.get(f"/accounts/{account['id']}").json["nps"] == account["nps"]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "null",
        "5",
        '{"nps": NaN}',
        '{"arr": 1e999}',
        '{"arr": Infinity}',
        '{"region": "\\ud800"}',
        '{"nps": 1',
        '"x"',
    ],
)
def test_what_is_not_an_object_of_values_is_refused_without_an_echo(
    service: Api, account: dict[str, Any], body: str
) -> None:
    answer = service("PATCH", f"/accounts/{account['id']}", body=body)
    assert answer.status == 422
    assert all(set(error) == {"loc", "code", "message"} for error in answer.json["errors"])


def test_an_account_that_is_not_there_is_a_404(service: Api) -> None:
    assert service.patch("/accounts/5", {"nps": 1}).status == 404


def test_when_scoring_fails_nothing_is_changed(
    service: Api, account: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: Any) -> None:
        raise RuntimeError("in the middle")

    monkeypatch.setattr(changes, "rescore", fail)
    assert service.patch(f"/accounts/{account['id']}", {"nps": 1}).status == 500
    assert service.get(f"/accounts/{account['id']}").json["nps"] == account["nps"]


def test_a_change_is_seen_by_lists_search_and_sums_at_once(
    service: Api, account: dict[str, Any]
) -> None:
    service.patch(
        f"/accounts/{account['id']}",
        {"segment": "Enterprise", "arr": 5, "cs_owner": "Zoë", "renewal_date": TODAY.isoformat()},
    )
    assert (
        service.get("/accounts", owner="Zoë", segment="Enterprise", renewal_within_days=1).json[
            "total"
        ]
        == 1
    )
    assert service.get("/portfolio/metrics").json["arr_by_segment"]["Enterprise"] == 5
    assert service.get("/portfolio/renewals", days=1).json["total_accounts"] == 1


def test_an_unrelated_account_is_changed_while_another_write_is_open(
    service: Api, url: str, sql: connection
) -> None:
    service.post("/ingest/generate-mock", count=4, seed=3)
    first, *others = [account["id"] for account in service.get("/accounts").json["accounts"]]
    answers: list[int] = []

    def hold(statements: Any) -> None:
        statements.execute("UPDATE accounts SET arr = arr + 1 WHERE id = ANY(%s)", (others,))
        other = Database(url)
        changed = other.write(
            lambda more: changes.change(more, first, {"nps": 5}, TODAY, allowed=lambda _: None)
        )
        answers.append(json.loads(changed or "")["nps"])
        other.close()

    service.database.write(hold)
    assert answers == [5]


def test_a_date_far_away_is_scored(service: Api, account: dict[str, Any]) -> None:
    answer = service.patch(
        f"/accounts/{account['id']}", {"qbr_last_date": "9999-12-31", "renewal_date": "0001-01-01"}
    )
    assert answer.status == 200
    far = service.patch(
        f"/accounts/{account['id']}", {"qbr_last_date": (TODAY - timedelta(365 * 2000)).isoformat()}
    )
    assert far.status == 200
