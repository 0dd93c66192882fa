"""An insight by a model is stored and repeated while its data stays the same."""

from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection

from tests.service.insights import add, asking, insight
from tests.service.lambda_api import Api
from tests.support.stand_in_openai import ACCOUNT, PORTFOLIO, StandInOpenAI, says, stand_in_openai


@pytest.fixture
def openai() -> Iterator[StandInOpenAI]:
    with stand_in_openai() as started:
        yield started


@pytest.fixture
def service(url: str, openai: StandInOpenAI) -> Iterator[Api]:
    with asking(url, openai) as function:
        yield function


def rows(sql: connection) -> list[Any]:
    with sql.cursor() as cursor:
        cursor.execute(
            "SELECT account_id, model, content ->> 'summary'"
            " FROM insights ORDER BY account_id NULLS FIRST"
        )
        return cursor.fetchall()


@pytest.mark.parametrize("path", ["/insights/account/{id}", "/insights/portfolio"])
def test_a_model_is_asked_once_about_the_same_data(
    service: Api, sql: connection, openai: StandInOpenAI, path: str
) -> None:
    path = path.format(id=add(sql, "Kestrel"))
    openai.body = says(PORTFOLIO if "portfolio" in path else ACCOUNT)
    first = insight(service.post(path), "model")
    openai.status = 500
    assert service.post(path).json == first
    assert len(openai.requests) == 1
    assert len(rows(sql)) == 1


def test_another_environment_returns_the_stored_insight(
    url: str, service: Api, sql: connection, openai: StandInOpenAI
) -> None:
    path = f"/insights/account/{add(sql, 'Kestrel')}"
    first = service.post(path).json
    with asking(url, openai) as other:
        assert other.post(path).json == first
    assert len(openai.requests) == 1


def test_refresh_asks_again_and_stores_the_newer(
    service: Api, sql: connection, openai: StandInOpenAI
) -> None:
    account_id = add(sql, "Kestrel")
    first = service.post(f"/insights/account/{account_id}").json
    openai.body = says({**ACCOUNT, "summary": "Written again."})
    second = insight(service.post(f"/insights/account/{account_id}", refresh="true"), "model")
    assert second["summary"] == "Written again."
    assert second["generated_at"] > first["generated_at"]
    assert second["data_version"] == first["data_version"]
    assert service.post(f"/insights/account/{account_id}").json == second
    assert [row[2] for row in rows(sql)] == ["Written again."]


def test_changed_data_and_another_model_are_asked_about_again(
    url: str, service: Api, sql: connection, openai: StandInOpenAI
) -> None:
    account_id = add(sql, "Kestrel")
    path = f"/insights/account/{account_id}"
    service.post(path)
    with sql.cursor() as cursor:
        cursor.execute("UPDATE accounts SET arr = 1 WHERE id = %s", (account_id,))
    assert insight(service.post(path), "model")["risk_factors"] == ["It has $1 at stake."]
    with asking(url, openai, openai_model="gpt-5") as other:
        assert insight(other.post(path), "model")["model"] == "gpt-5"
    assert len(openai.requests) == 3
    assert len(rows(sql)) == 1, "the newest replaces the one before"


def test_a_fallback_is_not_stored_and_does_not_hide_a_model_that_is_back(
    service: Api, sql: connection, openai: StandInOpenAI
) -> None:
    path, openai.status = f"/insights/account/{add(sql, 'Kestrel')}", 500
    insight(service.post(path), "rules")
    assert rows(sql) == []
    openai.status = 200
    insight(service.post(path), "model")


def test_a_failed_refresh_is_by_rule_and_leaves_what_is_stored(
    service: Api, sql: connection, openai: StandInOpenAI
) -> None:
    path = f"/insights/account/{add(sql, 'Kestrel')}"
    first, openai.status = service.post(path).json, 500
    insight(service.post(path, refresh="true"), "rules")
    assert service.post(path).json == first


def test_without_a_key_no_stored_insight_is_returned(
    url: str, service: Api, sql: connection, openai: StandInOpenAI
) -> None:
    path = f"/insights/account/{add(sql, 'Kestrel')}"
    insight(service.post(path), "model")
    with asking(url, openai, openai_api_key="") as other:
        insight(other.post(path), "rules")


def test_an_insight_goes_with_its_account(service: Api, sql: connection) -> None:
    first, second = add(sql, "First"), add(sql, "Second")
    for account_id in (first, second):
        service.post(f"/insights/account/{account_id}")
    with sql.cursor() as cursor:
        cursor.execute("DELETE FROM accounts WHERE id = %s", (second,))
    assert [row[0] for row in rows(sql)] == [first]


def test_an_account_that_is_deleted_while_the_model_is_asked_still_gets_its_insight(
    service: Api, sql: connection, openai: StandInOpenAI
) -> None:
    account_id = add(sql, "Gone")

    def remove() -> None:
        with sql.cursor() as cursor:
            cursor.execute("DELETE FROM accounts WHERE id = %s", (account_id,))

    openai.on_request = remove
    assert (
        insight(service.post(f"/insights/account/{account_id}"), "model")["account_name"] == "Gone"
    )
    assert rows(sql) == []
    assert service.post(f"/insights/account/{account_id}").status == 404


TERMINATE = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = 'ai-success-insights' AND datname = %s
"""


def test_a_connection_that_dies_while_the_model_is_asked_is_replaced(
    service: Api, sql: connection, openai: StandInOpenAI
) -> None:
    account_id = add(sql, "Kestrel")

    def cut() -> None:
        with sql.cursor() as cursor:
            cursor.execute(TERMINATE, (sql.info.dbname,))

    openai.on_request = cut
    insight(service.post(f"/insights/account/{account_id}"), "model")
    assert len(rows(sql)) == 1


def test_an_insight_that_cannot_be_stored_is_still_returned(
    service: Api, sql: connection, openai: StandInOpenAI, capsys: pytest.CaptureFixture[str]
) -> None:
    account_id = add(sql, "Kestrel")

    def shut() -> None:
        with sql.cursor() as cursor:
            cursor.execute(f"ALTER DATABASE {sql.info.dbname} CONNECTION LIMIT 0")
            cursor.execute(TERMINATE, (sql.info.dbname,))

    openai.on_request = shut
    insight(service.post(f"/insights/account/{account_id}"), "model")
    assert rows(sql) == []
    assert "the insight was not kept" in capsys.readouterr().out


@pytest.mark.parametrize("content", ["[]", "null", '"text"', "1"])
def test_the_database_refuses_content_that_is_no_object(sql: connection, content: str) -> None:
    with sql.cursor() as cursor, pytest.raises(psycopg2.errors.CheckViolation):
        cursor.execute(
            "INSERT INTO insights (data_version, model, content) VALUES ('a', 'b', %s)", (content,)
        )


def test_the_database_holds_one_insight_into_the_portfolio(sql: connection) -> None:
    statement = "INSERT INTO insights (data_version, model, content) VALUES ('a', 'b', '{}')"
    with sql.cursor() as cursor:
        cursor.execute(statement)
        with pytest.raises(psycopg2.errors.UniqueViolation):
            cursor.execute(statement)
