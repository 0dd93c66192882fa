"""Requests whose connection is lost, or whose statement does not end."""

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
    in_thread,
    locked,
    run,
    terminate,
    until_waiting,
)
from tests.service.every_operation import REQUESTS
from tests.service.lambda_api import Api, Response


def test_requests_share_one_connection(service: Api, sql: connection) -> None:
    service.get("/health/ready")
    first = backends(sql)
    service.get("/accounts")
    service.post("/ingest/generate-mock", count=1)
    assert backends(sql) == first
    assert len(first) == 1


def test_a_connection_that_was_closed_while_idle_is_replaced(service: Api, sql: connection) -> None:
    for method, path in (
        ("GET", "/accounts"),
        ("POST", "/ingest/generate-mock"),
        ("GET", "/portfolio/metrics"),
    ):
        assert service("GET", "/health/ready").status == 200
        assert terminate(sql) == 1
        assert service(method, path).status == 200


def test_a_connection_that_was_lost_unnoticed_fails_neither_a_read_nor_a_write(
    service: Api, sql: connection, monkeypatch: Any
) -> None:
    # As if the server's last message was lost in the network.
    monkeypatch.setattr(database_connection, "_has_input", lambda current: False)
    for method, path in (("GET", "/accounts"), ("POST", "/ingest/generate-mock")):
        assert service("GET", "/health/ready").status == 200
        assert terminate(sql) == 1
        assert service(method, path).status == 200


def test_an_old_connection_is_replaced_before_the_compute_can_be_suspended(
    service: Api, sql: connection, monkeypatch: Any
) -> None:
    service.get("/health/ready")
    first = backends(sql)
    now = time.time()
    monkeypatch.setattr(database_connection.time, "time", lambda: now + 299)
    assert service.get("/health/ready").status == 200
    assert backends(sql) != first
    assert len(backends(sql)) == 1


def with_terminated_backend(
    url: str, sql: connection, table: str, request: Callable[[], Response], *, release: bool
) -> Response:
    """Return the response to a request whose backend is terminated while it waits for a table.

    release: unlock the table then, so that another attempt of the request does not wait.
    """
    with locked(url, table) as holder:

        def disturb() -> None:
            until_waiting(sql)
            terminate(sql)
            if release:
                holder.rollback()

        disturbance = in_thread(disturb)
        response = request()
        disturbance.join()
    return response


ALL_TABLES = (
    "accounts, account_health, account_search_names, portfolio_cells, health_snapshots,"
    " account_metrics_daily, renewal_days"
)
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
"""Each with a table that it uses after it has written to another one."""


@pytest.mark.parametrize(
    "name",
    [
        *READS,
        "POST /actions/recommend",
        "POST /insights/portfolio",
        "POST /insights/account/{account_id}",
    ],
)
def test_a_read_whose_backend_is_terminated_is_repeated(
    service: Api, url: str, sql: connection, name: str
) -> None:
    service.post("/ingest/generate-mock", count=2)
    account = service.get("/accounts").json["accounts"][0]["id"]
    response = with_terminated_backend(
        url, sql, ALL_TABLES, lambda: REQUESTS[name](service, account), release=True
    )
    assert response.status == 200, response.text


@pytest.mark.parametrize("name", WRITES)
def test_a_write_whose_backend_is_terminated_is_a_503_and_writes_nothing(
    service: Api, url: str, sql: connection, name: str
) -> None:
    service.post("/ingest/generate-mock", count=2)
    account = service.get("/accounts").json["accounts"][0]["id"]
    before = content(sql)
    response = with_terminated_backend(
        url, sql, WRITES[name], lambda: REQUESTS[name](service, account), release=False
    )
    assert_unavailable(response)
    assert "Nothing was written" in response.json["detail"]
    assert content(sql) == before
    assert REQUESTS[name](service, account).status == 200
    assert content(sql) != before


def content(sql: connection) -> list[Any]:
    """Return every row that a write could insert or update."""
    tables = (
        "accounts",
        "account_health",
        "account_metrics_daily",
        "health_snapshots",
        "portfolio_cells",
        "owner_cells",
        "account_search_names",
    )
    return [run(sql, f"SELECT t::text FROM {table} t ORDER BY 1") for table in tables]


def test_a_write_whose_commit_is_lost_reports_an_unknown_outcome(url: str, sql: connection) -> None:
    database = Database(url)

    def work(statements: Any) -> None:
        statements.execute("INSERT INTO accounts (name, arr, segment) VALUES ('a', 1, 'SMB')")
        terminate(sql)

    with pytest.raises(UnavailableError, match="may or may not have been done"):
        database.write(work)
    database.close()


def test_a_slow_statement_is_cancelled_and_the_connection_stays_usable(
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


def test_settings_are_local_to_their_transaction_and_none_is_a_startup_option(service: Api) -> None:
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


def test_a_write_that_was_aborted_by_a_deadlock_is_repeated_once(url: str) -> None:
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


def test_work_that_suppresses_a_database_error_is_not_reported_as_committed(url: str) -> None:
    database = Database(url)

    def work(statements: Any) -> None:
        with contextlib.suppress(psycopg2.Error):
            statements.execute("SELECT 1 / 0")

    with pytest.raises(AssertionError):
        database.write(work)
    assert database.read("SELECT 1", {}) == [(1,)]
    database.close()
