"""Requests whose database cannot be reached, or stops responding."""

import socket
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from psycopg2.extensions import connection

from service.database import connection as database_connection
from service.database.connection import Database
from service.errors import UnavailableError
from stack.local.neon.postgres.server import Postgres
from tests.service.database_faults import Relay, assert_unavailable, run, with_part
from tests.service.lambda_api import Api, api


@pytest.mark.parametrize(
    "part", [{"password": "hunter2"}, {"database": "nowhere"}, {"port": 1}], ids=str
)
def test_a_database_that_refuses_connections_is_a_503_without_a_secret(
    url: str, part: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    function = api(with_part(url, **part))
    started = time.monotonic()
    responses = [
        function.get("/accounts"),
        function.post("/ingest/generate-mock"),
        function.get("/health/ready"),
    ]
    assert time.monotonic() - started < 12
    for response in responses:
        assert_unavailable(response)
    assert function.get("/health/live").status == 200
    result = capsys.readouterr().out + "".join(response.text for response in responses)
    for secret in ("hunter2", urlsplit(url).password or ""):
        assert secret not in result


@pytest.mark.parametrize(
    "nonsense", ["postgres//u:hunter2@h/d", "postgresql://u:hunter2@h:port/d", "host=h password"]
)
def test_an_invalid_url_is_a_503_that_does_not_quote_it(
    nonsense: str, capsys: pytest.CaptureFixture[str]
) -> None:
    response = api(nonsense).get("/accounts")
    assert_unavailable(response)
    assert "hunter2" not in capsys.readouterr().out + response.text


def test_a_database_without_free_connections_is_a_503(
    service: Api, url: str, sql: connection, postgres: Postgres
) -> None:
    name = urlsplit(url).path[1:]
    with postgres.admin() as admin:
        run(admin, f"ALTER DATABASE {name} CONNECTION LIMIT 1")
    assert_unavailable(service.get("/accounts"))
    with postgres.admin() as admin:
        run(admin, f"ALTER DATABASE {name} CONNECTION LIMIT -1")
    assert service.get("/accounts").status == 200


@pytest.fixture
def relay(url: str) -> Iterator[Relay]:
    started = Relay(url)
    yield started
    started.close()


def test_a_request_waits_for_a_compute_that_starts_slowly(url: str) -> None:
    relay = Relay(url, delay=1)
    function = api(with_part(url, port=relay.port))
    assert function.get("/accounts").status == 200
    function.close()
    relay.close()


def test_a_compute_that_does_not_start_is_a_503_before_the_deadline(url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        assert_unavailable(
            api(with_part(url, port=silent.getsockname()[1]))("GET", "/accounts", age=22.5)
        )
        assert time.monotonic() - started < 3.5


def test_a_request_succeeds_after_one_that_timed_out_while_the_compute_started(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_connection, "CONNECT_SECONDS", 2)
    relay = Relay(url, delay=4)
    function = api(with_part(url, port=relay.port))
    assert_unavailable(function.get("/accounts"))
    relay.delay = 0
    assert function.get("/accounts").status == 200
    function.close()
    relay.close()


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/accounts"), ("POST", "/ingest/generate-mock")]
)
def test_a_silent_connection_is_ended_at_the_deadline_and_the_next_request_is_served(
    url: str, relay: Relay, method: str, path: str
) -> None:
    """As with a full pooler, or a network that loses packets: no timeout of the server starts."""
    function = api(with_part(url, port=relay.port))
    assert function.get("/health/ready").status == 200
    relay.silent.set()
    started = time.monotonic()
    response = function(method, path, age=24.5)
    assert 0.3 < time.monotonic() - started < 3
    assert_unavailable(response)
    assert "longer than the limit" in response.json["detail"]
    relay.silent.clear()
    assert function.get("/accounts").status == 200
    function.close()


def test_a_deadline_that_is_not_reached_closes_nothing(url: str) -> None:
    database = Database(url)
    for _ in range(200):
        assert database.read("SELECT 1", {}) == [(1,)]
    time.sleep(0.05)
    pid = database.read("SELECT pg_backend_pid()", {})
    assert database.read("SELECT pg_backend_pid()", {}) == pid
    database.close()


def test_routes_without_data_work_without_a_database() -> None:
    function = api("")
    assert function.get("/").status == 200
    assert_unavailable(function.get("/accounts"))
    with pytest.raises(UnavailableError):
        Database("").write(lambda _: None)
