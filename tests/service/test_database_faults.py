"""What happens to a request whose database goes away, or does not come to an end, in the middle of it."""

import contextlib
import time
from collections.abc import Callable
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection

from service.database import connection as database_connection
from service.database.connection import Database
from service.errors import ConflictError, UnavailableError
from tests.service.database_faults import (
    assert_unavailable,
    backends,
    locked,
    meanwhile,
    run,
    terminate,
    until_waiting,
)
from tests.service.every_operation import REQUESTS
from tests.service.lambda_api import Api, Response


def test_a_connection_is_kept_from_request_to_request(service: Api, sql: connection) -> None:
    service.get("/health/ready")
    first = backends(sql)
    service.get("/accounts")
    service.post("/ingest/generate-mock", count=1)
    assert backends(sql) == first
    assert len(first) == 1


def test_a_connection_that_was_ended_while_idle_is_not_noticed(
    service: Api, sql: connection
) -> None:
    for method, path in (
        ("GET", "/accounts"),
        ("POST", "/ingest/generate-mock"),
        ("GET", "/portfolio/metrics"),
    ):
        assert service("GET", "/health/ready").status == 200
        assert terminate(sql) == 1
        assert service(method, path).status == 200


def test_a_connection_that_died_without_a_sign_costs_a_read_and_a_write_nothing(
    service: Api, sql: connection, monkeypatch: Any
) -> None:
    monkeypatch.setattr(
        database_connection, "_has_input", lambda _: False
    )  # as when the goodbye of the server was lost on the way
    for method, path in (("GET", "/accounts"), ("POST", "/ingest/generate-mock")):
        assert service("GET", "/health/ready").status == 200
        assert terminate(sql) == 1
        assert service(method, path).status == 200


def test_an_old_connection_is_replaced_before_the_compute_can_have_slept(
    service: Api, sql: connection, monkeypatch: Any
) -> None:
    service.get("/health/ready")
    first = backends(sql)
    now = time.time()
    monkeypatch.setattr(database_connection.time, "time", lambda: now + 299)
    assert service.get("/health/ready").status == 200
    assert backends(sql) != first
    assert len(backends(sql)) == 1


def ended_in_the_middle(
    url: str, sql: connection, table: str, request: Callable[[], Response], *, release: bool
) -> Response:
    """The answer to a request whose backend is ended while it waits for the table; with `release` the next one waits for nothing."""
    with locked(url, table) as holder:

        def disturb() -> None:
            until_waiting(sql)
            terminate(sql)
            if release:
                holder.rollback()

        disturbance = meanwhile(disturb)
        answer = request()
        disturbance.join()
    return answer


EVERYTHING = "accounts, account_health, account_names, portfolio_cells, health_snapshots, account_metrics_daily, renewal_days"
READS = [
    name
    for name in REQUESTS
    if name.startswith("GET /")
    and not name.startswith(("GET /health", "GET /playbooks", "GET /scoring"))
    and name != "GET /"
]
WRITES = {
    "POST /ingest/csv": "health_snapshots",
    "POST /ingest/generate-mock": "account_metrics_daily",
    "PATCH /accounts/{account_id}": "health_snapshots",
}
"""Each with a table that it comes to when it has written already."""


@pytest.mark.parametrize(
    "name",
    [
        *READS,
        "POST /actions/recommend",
        "POST /insights/portfolio",
        "POST /insights/account/{account_id}",
    ],
)
def test_a_read_whose_backend_is_ended_in_the_middle_is_done_again(
    service: Api, url: str, sql: connection, name: str
) -> None:
    service.post("/ingest/generate-mock", count=2)
    account = service.get("/accounts").json["accounts"][0]["id"]
    answer = ended_in_the_middle(
        url, sql, EVERYTHING, lambda: REQUESTS[name](service, account), release=True
    )
    assert answer.status == 200, answer.text


@pytest.mark.parametrize("name", WRITES)
def test_a_write_whose_backend_is_ended_in_the_middle_is_a_503_and_leaves_nothing(
    service: Api, url: str, sql: connection, name: str
) -> None:
    service.post("/ingest/generate-mock", count=2)
    account = service.get("/accounts").json["accounts"][0]["id"]
    before = content(sql)
    answer = ended_in_the_middle(
        url, sql, WRITES[name], lambda: REQUESTS[name](service, account), release=False
    )
    assert_unavailable(answer)
    assert "Nothing was written" in answer.json["detail"]
    assert content(sql) == before
    assert REQUESTS[name](service, account).status == 200
    assert content(sql) != before


def content(sql: connection) -> list[Any]:
    """Every row that a write could leave behind."""
    tables = (
        "accounts",
        "account_health",
        "account_metrics_daily",
        "health_snapshots",
        "portfolio_cells",
        "owner_cells",
        "account_names",
    )
    return [run(sql, f"SELECT t::text FROM {table} t ORDER BY 1") for table in tables]


def test_a_write_whose_commit_is_lost_says_that_it_may_be_done(url: str, sql: connection) -> None:
    database = Database(url)

    def work(statements: Any) -> None:
        statements.execute("INSERT INTO accounts (name, arr, segment) VALUES ('a', 1, 'SMB')")
        terminate(sql)

    with pytest.raises(UnavailableError, match="may or may not have been done"):
        database.write(work)
    database.close()


def test_a_statement_that_takes_too_long_is_stopped_and_the_connection_goes_on(
    service: Api, url: str, sql: connection, monkeypatch: Any
) -> None:
    assert service.post("/ingest/generate-mock", count=1).status == 200
    monkeypatch.setattr(database_connection, "STATEMENT_SECONDS", 0.2)
    first = backends(sql)
    with locked(url):
        started = time.monotonic()
        assert_unavailable(service.get("/accounts"))
        assert_unavailable(service.post("/ingest/generate-mock"))
        assert time.monotonic() - started < 5
    assert service.get("/accounts").status == 200
    assert backends(sql) == first


def test_settings_end_with_their_transaction_and_none_is_sent_at_the_start(service: Api) -> None:
    database = service.database
    assert database.read("SHOW statement_timeout", {}) == [("8s",)]
    assert database.read("SHOW transaction_read_only", {}) == [("on",)]

    def work(statements: Any) -> Any:
        statements.execute(
            "SELECT current_setting('statement_timeout'), current_setting('transaction_read_only')"
        )
        return statements.fetchone()

    assert database.write(work) == ("8s", "off")
    used = database._usable_connection()
    assert run(used, "SHOW statement_timeout") == [("0",)]
    assert not used.get_dsn_parameters().get("options")


def test_a_read_cannot_write(service: Api) -> None:
    with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
        service.database.read(
            "INSERT INTO accounts (name, arr, segment) VALUES ('a', 1, 'SMB') RETURNING id", {}
        )
    assert service.get("/accounts").json["total"] == 0


def test_a_write_that_the_database_gave_up_to_end_a_deadlock_is_done_again(url: str) -> None:
    database, attempts = Database(url), []

    def work(statements: Any) -> str:
        attempts.append(1)
        if len(attempts) == 1:
            raise_deadlock(statements)
        return "done"

    assert database.write(work) == "done"
    attempts.clear()
    with pytest.raises(ConflictError):
        database.write(raise_deadlock)
    database.close()


def raise_deadlock(statements: Any) -> None:
    statements.execute("DO $$ BEGIN RAISE EXCEPTION 'deadlock' USING ERRCODE = '40P01'; END $$")


def test_work_that_swallows_an_error_of_the_database_is_not_taken_for_done(url: str) -> None:
    database = Database(url)

    def work(statements: Any) -> None:
        with contextlib.suppress(psycopg2.Error):
            statements.execute("SELECT 1 / 0")

    with pytest.raises(AssertionError):
        database.write(work)
    assert database.read("SELECT 1", {}) == [(1,)]
    database.close()
