"""Accounts over HTTP, on a real database."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from psycopg2.extensions import connection

from service.queries.pagination import SORTS
from service.schema.responses import Account, AccountPage
from tests.service.lambda_api import SAMPLES, Api

TODAY = datetime.now(UTC).date()


def insert(sql: connection, **columns: Any) -> int:
    """A bare account; the columns that are not given are unknown."""
    values = {"name": "Acme", "arr": 1000, "segment": "SMB", **columns}
    with sql.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO accounts ({', '.join(values)}) VALUES ({', '.join(['%s'] * len(values))}) RETURNING id",
            list(values.values()),
        )
        row = cursor.fetchone()
    assert row is not None
    return row[0]


def rescored(sql: connection, account_id: int, score: float | None, bucket: str | None) -> None:
    with sql.cursor() as cursor:
        cursor.execute(
            "UPDATE account_health SET score = %s, bucket = %s WHERE account_id = %s",
            (score, bucket, account_id),
        )


def everyone(api: Api, **query: Any) -> list[dict[str, Any]]:
    """All accounts that a filter lets through, page by page."""
    accounts: list[dict[str, Any]] = []
    page = 1
    while True:
        answer = api.get("/accounts", page=page, page_size=7, **query)
        assert answer.status == 200, answer.text
        accounts += answer.json["accounts"]
        if not answer.json["accounts"]:
            assert answer.json["total"] == len(accounts)
            return accounts
        page += 1


def names(api: Api, **query: Any) -> list[str]:
    return [account["name"] for account in everyone(api, **query)]


def test_a_page_has_what_the_documented_schema_says(sampled: Api) -> None:
    answer = sampled.get("/accounts", page_size=100)
    page = AccountPage.model_validate_json(answer.text, strict=True, extra="forbid")
    assert (page.total, page.page, page.page_size, len(page.accounts)) == (SAMPLES, 1, 100, SAMPLES)
    assert answer.headers["content-type"] == "application/json"
    assert list(answer.json["accounts"][0]) == list(Account.model_fields)


def test_without_parameters_fifty_accounts_come_by_name(sampled: Api) -> None:
    answer = sampled.get("/accounts").json
    found = [account["name"] for account in answer["accounts"]]
    assert (len(found), answer["page_size"]) == (50, 50)
    assert found == sorted(found)


def test_an_account_shows_all_its_factors_and_a_list_the_five_weightiest(sampled: Api) -> None:
    listed = sampled.get("/accounts", page_size=1, bucket="Amber").json["accounts"][0]
    alone = sampled.get(f"/accounts/{listed['id']}").json
    assert len(alone["latest_health_factors"]) >= 11
    assert listed["latest_health_factors"] == alone["latest_health_factors"][:5]
    assert {**alone, "latest_health_factors": None} == {**listed, "latest_health_factors": None}


def test_the_factors_of_an_account_sum_to_its_score(sampled: Api) -> None:
    for account in everyone(sampled, min_score=0)[:20]:
        factors = sampled.get(f"/accounts/{account['id']}").json["latest_health_factors"]
        assert sum(factor["contribution"] for factor in factors) == pytest.approx(
            account["health_score"], abs=0.05 + 1e-9
        )


@pytest.mark.parametrize("path", ["/accounts/0", "/accounts/-1", "/accounts/9223372036854775807"])
def test_an_account_that_is_not_there_is_a_404(sampled: Api, path: str) -> None:
    assert sampled.get(path).status == 404


@pytest.mark.parametrize(
    "path", ["/accounts/x", "/accounts/1.5", "/accounts/9223372036854775808", "/accounts/null"]
)
def test_an_id_that_is_no_integer_of_the_database_is_a_422(sampled: Api, path: str) -> None:
    answer = sampled.get(path)
    assert (answer.status, answer.json["errors"][0]["loc"]) == (422, ["path", "account_id"])


def test_pages_cover_every_account_once_and_end_with_an_empty_one(sampled: Api) -> None:
    found = [account["id"] for account in everyone(sampled, sort="-arr")]
    assert len(found) == len(set(found)) == SAMPLES
    beyond = sampled.get("/accounts", page=10**9, page_size=100)
    assert (beyond.status, beyond.json["total"], beyond.json["accounts"]) == (200, SAMPLES, [])


@pytest.mark.parametrize("sort", SORTS)
def test_a_sort_puts_unknown_values_last_and_equal_ones_by_id(
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
    assert [account["id"] for account in everyone(sampled, sort=sort)] == [
        row[1] for row in [*known, *unknown]
    ]


def test_unknown_scores_and_dates_come_last_in_both_directions(
    service: Api, sql: connection
) -> None:
    early, late, never = (
        insert(sql, name=name, renewal_date=day)
        for name, day in (("a", TODAY), ("b", TODAY + timedelta(9)), ("c", None))
    )
    rescored(sql, early, 10.0, "Red")
    rescored(sql, late, 90.0, "Green")
    for sort, expected in {
        "renewal_date": [early, late, never],
        "-renewal_date": [late, early, never],
        "health_score": [early, late, never],
        "-health_score": [late, early, never],
    }.items():
        assert [account["id"] for account in everyone(service, sort=sort)] == expected, sort


FILTERS: list[tuple[dict[str, Any], Any]] = [
    ({"segment": "SMB"}, lambda account: account["segment"] == "SMB"),
    ({"segment": ["SMB", "Enterprise"]}, lambda account: account["segment"] in {"SMB", "Enterprise"}),
    ({"bucket": "Red"}, lambda account: account["health_bucket"] == "Red"),
    ({"bucket": "Unscored"}, lambda account: account["health_bucket"] is None),
    ({"bucket": ["Green", "Unscored"]}, lambda account: account["health_bucket"] in {"Green", None}),
    ({"region": "EMEA"}, lambda account: account["region"] == "EMEA"),
    ({"owner": ["Lena Novak", "Bo Lindqvist"]}, lambda account: account["cs_owner"] in {"Lena Novak", "Bo Lindqvist"}),
    ({"industry": "Energy"}, lambda account: account["industry"] == "Energy"),
    ({"industry": "nowhere"}, lambda account: False),
    ({"q": "ridge"}, lambda account: "ridge" in account["name"].lower()),
    ({"q": "RI"}, lambda account: "ri" in account["name"].lower()),
    ({"renewal_within_days": 60}, lambda account: 0 <= (date.fromisoformat(account["renewal_date"]) - TODAY).days <= 60),
    ({"min_score": 60, "max_score": 80}, lambda account: account["health_score"] is not None and 60 <= account["health_score"] <= 80),
    ({"segment": "SMB", "region": "EMEA", "bucket": ["Green", "Amber"]},
     lambda account: account["segment"] == "SMB" and account["region"] == "EMEA" and account["health_bucket"] in {"Green", "Amber"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "fits"), FILTERS, ids=[json.dumps(query) for query, _ in FILTERS]
)
def test_a_filter_lets_through_exactly_what_fits(
    sampled: Api, query: dict[str, Any], fits: Any
) -> None:
    accounts = everyone(sampled)
    assert names(sampled, **query) == [account["name"] for account in accounts if fits(account)]


def test_a_search_takes_wildcards_as_the_characters_that_they_are(
    service: Api, sql: connection
) -> None:
    for name in ("100% Pure", "100 Pure", r"a_b\c", "axbc"):
        insert(sql, name=name)
    assert names(service, q="0%") == ["100% Pure"]
    assert names(service, q="a_b") == [r"a_b\c"]
    assert names(service, q=r"b\c") == [r"a_b\c"]
    assert names(service, q="'; DROP TABLE accounts; --") == []


def test_a_window_of_renewals_starts_today_and_ends_with_its_last_day(
    service: Api, sql: connection
) -> None:
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
def test_a_wrong_parameter_is_refused_by_name_without_its_value(
    sampled: Api, query: dict[str, Any], where: list[Any], code: str
) -> None:
    answer = sampled.get("/accounts", **query)
    assert answer.status == 422
    error = answer.json["errors"][0]
    assert (error["loc"], error["code"]) == (where, code)
    assert set(error) == {"loc", "code", "message"}


def test_text_of_any_script_comes_back_as_it_was_stored(service: Api, sql: connection) -> None:
    account = insert(sql, name='Zoë "Ω" 東京 🚀 \\ / </script>', industry="Größe")
    answer = service.get(f"/accounts/{account}").json
    assert (answer["name"], answer["industry"]) == ('Zoë "Ω" 東京 🚀 \\ / </script>', "Größe")


def test_an_account_of_which_nothing_is_known_is_listed_with_nulls(
    service: Api, sql: connection
) -> None:
    account = Account.model_validate(service.get(f"/accounts/{insert(sql)}").json)
    assert (
        account.health_score,
        account.health_bucket,
        account.health_coverage,
        account.latest_health_factors,
    ) == (None, None, 0, [])
    assert account.expansion_oppty_dollar == 0
    assert account.created_at.tzinfo is not None


def test_money_keeps_its_cents_and_whole_dollars_have_none(service: Api, sql: connection) -> None:
    account = insert(sql, arr="1000000000000.00", expansion_oppty_dollar="0.10")
    text = service.get(f"/accounts/{account}").text
    assert '"arr":1000000000000,' in text
    assert '"expansion_oppty_dollar":0.1,' in text
