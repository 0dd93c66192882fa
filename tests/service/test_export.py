"""The export of accounts as a file that can be imported again unchanged."""

import csv
import gzip
import io
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

import pytest
from psycopg2.extensions import connection

from service.http import downloads
from service.importing.formulas import protected
from service.schema.columns import ACCOUNT_COLUMNS
from tests.service.lambda_api import Api, Response, event
from tests.service.uploads import upload

NAMES = (
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "'=x",
    "''=x",
    "'s Gravenhage",
    'Zoë "Ω"',
    "a,b;c",
    "inner space",
    "\uff1d1+1",
    "plain",
    "💡",
    "''",
)


def exported(api: Api, headers: Mapping[str, str] | None = None, **query: Any) -> Response:
    response = api.get("/accounts/export.csv", headers, **query)
    assert response.status == 200, response.text
    return response


def rows(text: str) -> list[dict[str, str]]:
    assert text.startswith("\ufeff"), "Excel reads UTF-8 by its byte order mark"
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


def content(sql: connection) -> list[Any]:
    with sql.cursor() as cursor:
        cursor.execute(
            f"SELECT {', '.join(column.name for column in ACCOUNT_COLUMNS)}"
            " FROM accounts ORDER BY name"
        )
        return cursor.fetchall()


def test_a_file_has_the_columns_of_an_import_and_rows_by_name(sampled: Api) -> None:
    response = exported(sampled)
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert response.headers["content-disposition"] == 'attachment; filename="accounts.csv"'
    found = rows(response.text)
    assert list(found[0]) == [column.name for column in ACCOUNT_COLUMNS]
    assert [row["name"] for row in found] == sorted(row["name"] for row in found)
    assert len(found) == sampled.get("/accounts").json["total"]


@pytest.mark.parametrize(
    "query",
    [
        {"segment": "SMB"},
        {"bucket": "Red"},
        {"q": "ridge"},
        {"owner": "Lena Novak", "min_score": 40},
    ],
)
def test_filters_are_those_of_the_list(sampled: Api, query: dict[str, Any]) -> None:
    listed = sampled.get("/accounts", page_size=100, **query).json["accounts"]
    assert [row["name"] for row in rows(exported(sampled, **query).text)] == [
        account["name"] for account in listed
    ]


def test_a_file_imported_into_an_empty_database_creates_the_same_accounts(
    service: Api, sql: connection
) -> None:
    service.post("/ingest/generate-mock", count=30, seed=2)
    with sql.cursor() as cursor:
        for number, name in enumerate(NAMES):
            cursor.execute(
                "INSERT INTO accounts (name, arr, segment, industry, region, cs_owner, nps,"
                " weekly_active_pct, expansion_oppty_dollar, onboarding_phase)"
                " VALUES (%s, %s, 'SMB', %s, '-EMEA', '@owner', -7, 5e-05, 0.01, %s)",
                (name, number / 100, name[:100], number % 2 == 0),
            )
    text, before = exported(service).text, content(sql)
    again = upload(service, text.encode())
    assert again.status == 200, again.text
    assert (again.json["accounts_created"], again.json["accounts_updated"]) == (0, 0)
    with sql.cursor() as cursor:
        cursor.execute("DELETE FROM accounts")
    assert upload(service, text.encode()).json["accounts_created"] == len(before)
    assert content(sql) == before


def test_texts_are_protected_from_being_formulas_and_numbers_stay_numbers(
    service: Api, sql: connection
) -> None:
    with sql.cursor() as cursor:
        for name in NAMES:
            cursor.execute(
                "INSERT INTO accounts (name, arr, segment, industry, nps)"
                " VALUES (%s, 0, 'SMB', %s, -7)",
                (name, name),
            )
    found = rows(exported(service).text)
    assert {row["name"] for row in found} == {protected(name) for name in NAMES}
    assert all(row["name"] == row["industry"] for row in found)
    assert {row["nps"] for row in found} == {"-7"}
    assert not [row for row in found if row["name"][0] in "=+-@"]


def test_a_file_without_accounts_has_a_header(service: Api) -> None:
    assert rows(exported(service).text) == []


def test_a_large_file_is_compressed_and_one_that_is_too_large_is_refused(
    sampled: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = exported(sampled).text
    monkeypatch.setattr(downloads, "MAX_UNCOMPRESSED_BYTES", 1000)
    packed = sampled.handler(
        event("GET", "/accounts/export.csv", headers={"accept-encoding": "gzip, br"}), None
    )
    assert (
        packed["statusCode"],
        packed["headers"]["content-encoding"],
        packed["isBase64Encoded"],
    ) == (200, "gzip", True)
    assert "Accept-Encoding" in packed["headers"]["vary"]
    assert gzip.decompress(b64decode(packed["body"])).decode() == plain
    refused = sampled.get("/accounts/export.csv")
    assert (refused.status, refused.json["errors"][0]["code"]) == (422, "too_many_accounts")
    assert sampled.get("/accounts/export.csv", q="ridge light").status == 200


def test_the_connection_stays_usable_after_a_file_that_exceeds_the_limit(
    sampled: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "MAX_BYTES", 500)
    assert sampled.get("/accounts/export.csv").status == 422
    assert sampled.get("/accounts").status == 200


def test_an_unknown_query_parameter_is_refused(sampled: Api) -> None:
    assert sampled.get("/accounts/export.csv", page=2).status == 422
