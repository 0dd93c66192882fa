"""Accounts over HTTP, on a real database."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from psycopg2.extensions import connection

from service.queries.pagination import SORTS
from service.schema.responses import Account, AccountDetail, AccountPage
from tests.service.lambda_api import SAMPLES, Api

TODAY = datetime.now(UTC).date()


def insert(sql: connection, **columns: Any) -> int:
    """Insert an account; columns that are not given are unknown."""
    values = {"name": "Acme", "arr": 1000, "segment": "SMB", **columns}
    with sql.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO accounts ({', '.join(values)})"
            f" VALUES ({', '.join(['%s'] * len(values))}) RETURNING id",
            list(values.values()),
        )
        row = cursor.fetchone()
    assert row is not None
    return row[0]


def set_score(sql: connection, account_id: int, score: float | None, bucket: str | None) -> None:
    with sql.cursor() as cursor:
        cursor.execute(
            "UPDATE account_health SET score = %s, bucket = %s WHERE account_id = %s",
            (score, bucket, account_id),
        )


def all_accounts(api: Api, **query: Any) -> list[dict[str, Any]]:
    """Return all accounts that match a filter, page by page."""
    accounts: list[dict[str, Any]] = []
    page = 1
    while True:
        response = api.get("/accounts", page=page, page_size=7, **query)
        assert response.status == 200, response.text
        accounts += response.json["accounts"]
        if not response.json["accounts"]:
            assert response.json["total"] == len(accounts)
            return accounts
        page += 1


def names(api: Api, **query: Any) -> list[str]:
    return [account["name"] for account in all_accounts(api, **query)]


def test_a_page_matches_its_documented_schema(sampled: Api) -> None:
    response = sampled.get("/accounts", page_size=100)
    page = AccountPage.model_validate_json(response.text, strict=True, extra="forbid")
    assert (page.total, page.page, page.page_size, len(page.accounts)) == (SAMPLES, 1, 100, SAMPLES)
    assert response.headers["content-type"] == "application/json"
    assert list(response.json["accounts"][0]) == list(Account.model_fields)


def test_the_default_page_has_fifty_accounts_by_name(sampled: Api) -> None:
    response = sampled.get("/accounts").json
    found = [account["name"] for account in response["accounts"]]
    assert (len(found), response["page_size"]) == (50, 50)
    assert found == sorted(found)


def test_an_account_has_all_its_factors_and_a_list_the_five_with_the_largest_impact(
    sampled: Api,
) -> None:
    listed = sampled.get("/accounts", page_size=1, bucket="Amber").json["accounts"][0]
    alone = sampled.get(f"/accounts/{listed['id']}").json
    assert len(alone["latest_health_factors"]) >= 11
    assert listed["latest_health_factors"] == alone["latest_health_factors"][:5]
    del alone["scores_as_of"]
    assert {**alone, "latest_health_factors": None} == {**listed, "latest_health_factors": None}


def test_the_factors_of_an_account_sum_to_its_score(sampled: Api) -> None:
    for account in all_accounts(sampled, min_score=0)[:20]:
        factors = sampled.get(f"/accounts/{account['id']}").json["latest_health_factors"]
        assert sum(factor["contribution"] for factor in factors) == pytest.approx(
            account["health_score"], abs=0.05 + 1e-9
        )


@pytest.mark.parametrize("path", ["/accounts/0", "/accounts/-1", "/accounts/9223372036854775807"])
def test_an_unknown_account_is_a_404(sampled: Api, path: str) -> None:
    assert sampled.get(path).status == 404


@pytest.mark.parametrize(
    "path", ["/accounts/x", "/accounts/1.5", "/accounts/9223372036854775808", "/accounts/null"]
)
def test_an_id_that_is_not_a_bigint_is_a_422(sampled: Api, path: str) -> None:
    response = sampled.get(path)
    assert (response.status, response.json["errors"][0]["loc"]) == (422, ["path", "account_id"])


def test_pages_list_every_account_once_and_end_with_an_empty_page(sampled: Api) -> None:
    found = [account["id"] for account in all_accounts(sampled, sort="-arr")]
    assert len(found) == len(set(found)) == SAMPLES
    beyond = sampled.get("/accounts", page=10**9, page_size=100)
    assert (beyond.status, beyond.json["total"], beyond.json["accounts"]) == (200, SAMPLES, [])


@pytest.mark.parametrize("sort", SORTS)
def test_a_sort_has_unknown_values_last_and_equal_values_by_id(
    sampled: Api, sampled_sql: connection, sort: str
) -> None:
    column = {"name": "a.name", "arr": "a.arr", "health_score": "h.score"}.get(
        sort.removeprefix("-"), f"a.{sort.removeprefix('-')}"
    )
    with sampled_sql.cursor() as cursor:
        cursor.execute(
            f"SELECT {column}, a.id FROM accounts a JOIN account_health h ON h.account_id = a.id"
        )
        rows = cursor.fetchall()
    rows.sort(key=lambda row: row[1])
    known = sorted(
        (row for row in rows if row[0] is not None),
        key=lambda row: row[0],
        reverse=sort.startswith("-"),
    )
    unknown = [row for row in rows if row[0] is None]
    assert [account["id"] for account in all_accounts(sampled, sort=sort)] == [
        row[1] for row in [*known, *unknown]
    ]


def test_unknown_scores_and_dates_are_last_in_both_directions(
    service: Api, sql: connection
) -> None:
    early, late, never = (
        insert(sql, name=name, renewal_date=day)
        for name, day in (("a", TODAY), ("b", TODAY + timedelta(9)), ("c", None))
    )
    set_score(sql, early, 10.0, "Red")
    set_score(sql, late, 90.0, "Green")
    for sort, expected in {
        "renewal_date": [early, late, never],
        "-renewal_date": [late, early, never],
        "health_score": [early, late, never],
        "-health_score": [late, early, never],
    }.items():
        assert [account["id"] for account in all_accounts(service, sort=sort)] == expected, sort


FILTERS: list[tuple[dict[str, Any], Any]] = [
    ({"segment": "SMB"}, lambda account: account["segment"] == "SMB"),
    ({"segment": ["SMB", "Enterprise"]}, lambda account: account["segment"] != "Mid-Market"),
    ({"bucket": "Red"}, lambda account: account["health_bucket"] == "Red"),
    ({"bucket": "Unscored"}, lambda account: account["health_bucket"] is None),
    ({"bucket": ["Green", "Unscored"]},
     lambda account: account["health_bucket"] in {"Green", None}),
    ({"region": "EMEA"}, lambda account: account["region"] == "EMEA"),
    ({"owner": ["Lena Novak", "Bo Lindqvist"]},
     lambda account: account["cs_owner"] in {"Lena Novak", "Bo Lindqvist"}),
    ({"industry": "Energy"}, lambda account: account["industry"] == "Energy"),
    ({"industry": "nowhere"}, lambda account: False),
    ({"q": "ridge"}, lambda account: "ridge" in account["name"].lower()),
    ({"q": "RI"}, lambda account: "ri" in account["name"].lower()),
    ({"renewal_within_days": 60},
     lambda account: 0 <= (date.fromisoformat(account["renewal_date"]) - TODAY).days <= 60),
    ({"min_score": 60, "max_score": 80},
     lambda account: 60 <= (account["health_score"] or 0) <= 80),
    ({"segment": "SMB", "region": "EMEA", "bucket": ["Green", "Amber"]},
     lambda account: (account["segment"], account["region"]) == ("SMB", "EMEA")
     and account["health_bucket"] in {"Green", "Amber"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "matches"), FILTERS, ids=[json.dumps(query) for query, _ in FILTERS]
)
def test_a_filter_returns_exactly_the_matching_accounts(
    sampled: Api, query: dict[str, Any], matches: Any
) -> None:
    accounts = all_accounts(sampled)
    assert names(sampled, **query) == [account["name"] for account in accounts if matches(account)]


def test_a_search_matches_wildcard_characters_literally(service: Api, sql: connection) -> None:
    for name in ("100% Pure", "100 Pure", r"a_b\c", "axbc"):
        insert(sql, name=name)
    assert names(service, q="0%") == ["100% Pure"]
    assert names(service, q="a_b") == [r"a_b\c"]
    assert names(service, q=r"b\c") == [r"a_b\c"]
    assert names(service, q="'; DROP TABLE accounts; --") == []


def test_a_renewal_window_includes_today_and_its_last_day(service: Api, sql: connection) -> None:
    for days in (-1, 0, 30, 31):
        insert(sql, name=f"in {days}", renewal_date=TODAY + timedelta(days))
    assert names(service, renewal_within_days=30) == ["in 0", "in 30"]


REFUSED: list[tuple[dict[str, Any], list[str | int], str]] = [
    ({"segment": "smb"}, ["query", "segment", 0], "literal_error"),
    ({"bucket": ["Red", "Blue"]}, ["query", "bucket", 1], "literal_error"),
    ({"sort": "id"}, ["query", "sort"], "literal_error"),
    ({"page": 0}, ["query", "page"], "greater_than_equal"),
    ({"page": 10**9 + 1}, ["query", "page"], "less_than_equal"),
    ({"page": "x"}, ["query", "page"], "int_parsing"),
    ({"page_size": 101}, ["query", "page_size"], "less_than_equal"),
    ({"page_size": 0}, ["query", "page_size"], "greater_than_equal"),
    ({"min_score": "NaN"}, ["query", "min_score"], "finite_number"),
    ({"max_score": "1e999"}, ["query", "max_score"], "finite_number"),
    ({"max_score": 101}, ["query", "max_score"], "less_than_equal"),
    ({"renewal_within_days": -1}, ["query", "renewal_within_days"], "greater_than_equal"),
    ({"q": "a\x00b"}, ["query", "q"], "string_pattern_mismatch"),
    ({"owner": "line\nbreak"}, ["query", "owner", 0], "string_pattern_mismatch"),
    ({"q": "x" * 256}, ["query", "q"], "string_too_long"),
    ({"q": ""}, ["query", "q"], "string_too_short"),
    ({"region": ["x"] * 51}, ["query", "region"], "too_long"),
    ({"segmnt": "SMB"}, ["query", "segmnt"], "unknown_parameter"),
]


@pytest.mark.parametrize(
    ("query", "where", "code"), REFUSED, ids=[str(list(query)) + code for query, _, code in REFUSED]
)
def test_an_invalid_parameter_is_named_in_the_error_without_its_value(
    sampled: Api, query: dict[str, Any], where: list[Any], code: str
) -> None:
    response = sampled.get("/accounts", **query)
    assert response.status == 422
    error = response.json["errors"][0]
    assert (error["loc"], error["code"]) == (where, code)
    assert set(error) == {"loc", "code", "message"}


def test_text_of_any_script_is_returned_as_it_was_stored(service: Api, sql: connection) -> None:
    account = insert(sql, name='Zoë "Ω" 東京 🚀 \\ / </script>', industry="Größe")
    response = service.get(f"/accounts/{account}").json
    assert (response["name"], response["industry"]) == ('Zoë "Ω" 東京 🚀 \\ / </script>', "Größe")


def test_unknown_values_of_an_account_are_null(service: Api, sql: connection) -> None:
    found = service.get(f"/accounts/{insert(sql)}").json
    account = AccountDetail.model_validate(found)
    assert (
        account.health_score,
        account.health_bucket,
        account.health_coverage,
        account.latest_health_factors,
    ) == (None, None, 0, [])
    assert found["expansion_oppty_dollar"] == 0
    assert account.created_at.tzinfo is not None


def test_dollar_amounts_have_cents_only_where_needed(service: Api, sql: connection) -> None:
    account = insert(sql, arr="1000000000000.00", expansion_oppty_dollar="0.10")
    text = service.get(f"/accounts/{account}").text
    assert '"arr":1000000000000,' in text
    assert '"expansion_oppty_dollar":0.1,' in text
