"""Updates of one account, which score it again in the same transaction."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg2.extensions import connection

from service.database.connection import Database
from service.queries import changes
from service.schema.columns import ACCOUNT_COLUMNS, Column
from service.schema.responses import AccountDetail
from tests.service.lambda_api import Api

TODAY = datetime.now(UTC).date()


@pytest.fixture
def account(service: Api) -> dict[str, Any]:
    service.post("/ingest/generate-mock", count=1, seed=3)
    return service.get("/accounts").json["accounts"][0]


def test_an_update_changes_the_given_columns_only_and_scores_the_account_again(
    service: Api, account: dict[str, Any]
) -> None:
    changed = service.patch(
        f"/accounts/{account['id']}",
        {"nps": 100, "cs_owner": "  Robin Vale ", "renewal_date": None},
    )
    assert changed.status == 200
    AccountDetail.model_validate_json(changed.text, strict=True, extra="forbid")
    updated = changed.json
    assert [updated[name] for name in ("nps", "cs_owner", "renewal_date")] == [
        *(100, "Robin Vale", None)
    ]
    score = {
        "nps",
        "cs_owner",
        "renewal_date",
        "updated_at",
        "health_score",
        "health_bucket",
        "latest_health_factors",
        "scores_as_of",
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


def other_value(column: Column) -> Any:
    """Return a valid value that differs from the column's example."""
    match column.kind:
        case "text":
            return f"other {column.name}"
        case "choice":
            return next(choice for choice in column.choices if choice != column.example)
        case "dollars":
            return column.example + 10.25
        case "integer":
            return column.example + 1
        case "ratio" | "number":
            return column.example / 2
        case "date":
            return "2026-01-02"
        case "flag":
            return not column.example


def test_every_column_except_the_id_can_be_updated(service: Api, account: dict[str, Any]) -> None:
    values = {column.name: other_value(column) for column in ACCOUNT_COLUMNS}
    changed = service.patch(f"/accounts/{account['id']}", values).json
    assert {name: changed[name] for name in values} == values
    unknown = {
        column.name: None
        for column in ACCOUNT_COLUMNS
        if not column.required and column.default is None
    }
    changed = service.patch(f"/accounts/{account['id']}", unknown).json
    assert all(changed[name] is None for name in unknown)


def test_an_update_with_the_same_values_writes_nothing(
    service: Api, account: dict[str, Any], sql: connection
) -> None:
    same = {
        name: account[name] for name in ("arr", "nps", "region", "renewal_date", "onboarding_phase")
    }
    state = (
        "SELECT (SELECT xmin::text FROM accounts), (SELECT xmin::text FROM account_health),"
        " (SELECT count(*) FROM health_snapshots)"
    )
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
def test_an_invalid_value_is_refused_and_its_field_named(
    service: Api, account: dict[str, Any], content: Any, field: str
) -> None:
    response = service.patch(f"/accounts/{account['id']}", {"nps": 7, **content})
    assert response.status == 422
    assert {tuple(error["loc"][:2]) for error in response.json["errors"]} == {("body", field)}
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
def test_a_body_that_is_not_a_valid_object_is_refused_without_repeating_it(
    service: Api, account: dict[str, Any], body: str
) -> None:
    response = service("PATCH", f"/accounts/{account['id']}", body=body)
    assert response.status == 422
    assert all(set(error) == {"loc", "code", "message"} for error in response.json["errors"])


def test_an_unknown_account_is_a_404(service: Api) -> None:
    assert service.patch("/accounts/5", {"nps": 1}).status == 404


def test_an_update_is_rolled_back_when_scoring_fails(
    service: Api, account: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: Any) -> None:
        raise RuntimeError("in the middle")

    monkeypatch.setattr(changes, "rescore", fail)
    assert service.patch(f"/accounts/{account['id']}", {"nps": 1}).status == 500
    assert service.get(f"/accounts/{account['id']}").json["nps"] == account["nps"]


def test_an_update_is_visible_in_lists_search_and_totals_at_once(
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


def test_an_account_can_be_updated_while_a_write_to_other_accounts_is_open(
    service: Api, url: str, sql: connection
) -> None:
    service.post("/ingest/generate-mock", count=4, seed=3)
    first, *others = [account["id"] for account in service.get("/accounts").json["accounts"]]
    responses: list[int] = []

    def hold(statements: Any) -> None:
        statements.execute("UPDATE accounts SET arr = arr + 1 WHERE id = ANY(%s)", (others,))
        other = Database(url)
        changed = other.write(
            lambda more: changes.change(more, first, {"nps": 5}, TODAY, allowed=lambda _: None)
        )
        responses.append(json.loads(changed or "")["nps"])
        other.close()

    service.database.write(hold)
    assert responses == [5]


def test_an_account_with_distant_dates_is_scored(service: Api, account: dict[str, Any]) -> None:
    response = service.patch(
        f"/accounts/{account['id']}", {"qbr_last_date": "9999-12-31", "renewal_date": "0001-01-01"}
    )
    assert response.status == 200
    far = service.patch(
        f"/accounts/{account['id']}", {"qbr_last_date": (TODAY - timedelta(365 * 2000)).isoformat()}
    )
    assert far.status == 200
