"""What happens to a request when the database does not do its part."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pytest
from psycopg2.extensions import connection

from local.postgres import Postgres
from service import db
from service.db import Database
from service.errors import ConflictError, UnavailableError
from tests.service.lambda_api import Answer, Api, api

BACKENDS = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'ai-success-insights'"


def run(sql: connection, statement: str) -> list[Any]:
    with sql.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def backends(sql: connection) -> list[int]:
    return [pid for (pid,) in run(sql, f"SELECT pid {BACKENDS}")]


def terminate(sql: connection) -> int:
    """Ends the function's backends, as a sleeping compute or an administrator does."""
    return len(run(sql, f"SELECT pg_terminate_backend(pid, 5000) {BACKENDS}"))


def assert_unavailable(answer: Answer) -> None:
    assert (answer.status, answer.headers["content-type"]) == (503, "application/problem+json")
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json["detail"]


@contextlib.contextmanager
def locked(url: str, table: str = "accounts") -> Iterator[connection]:
    """Nobody else can read or write the table inside."""
    with contextlib.closing(psycopg2.connect(url)) as holder:
        run(holder, f"LOCK TABLE {table}")
        yield holder
        holder.rollback()


def meanwhile(call: Callable[[], Any]) -> threading.Thread:
    thread = threading.Thread(target=call)
    thread.start()
    return thread


def until_waiting(sql: connection) -> None:
    """Until the function waits for a lock."""
    deadline = time.monotonic() + 10
    while not run(sql, f"SELECT pid {BACKENDS} AND wait_event_type = 'Lock'"):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_connection_is_kept_from_request_to_request(service: Api, sql: connection) -> None:
    service.get("/health/ready")
    first = backends(sql)
    service.get("/accounts")
    service.post("/ingest/generate-mock", count=1)
    assert backends(sql) == first
    assert len(first) == 1


def test_a_connection_that_was_ended_while_idle_is_not_noticed(service: Api, sql: connection) -> None:
    for method, path in (("GET", "/accounts"), ("POST", "/ingest/generate-mock"), ("GET", "/portfolio/metrics")):
        assert service("GET", "/health/ready").status == 200
        assert terminate(sql) == 1
        assert service(method, path).status == 200


def test_a_connection_that_died_without_a_sign_costs_a_read_and_a_write_nothing(service: Api, sql: connection, monkeypatch: Any) -> None:
    monkeypatch.setattr(db, "_readable", lambda _: False)  # as when the goodbye of the server was lost on the way
    for method, path in (("GET", "/accounts"), ("POST", "/ingest/generate-mock")):
        assert service("GET", "/health/ready").status == 200
        assert terminate(sql) == 1
        assert service(method, path).status == 200


def test_an_old_connection_is_replaced_before_the_compute_can_have_slept(service: Api, sql: connection, monkeypatch: Any) -> None:
    service.get("/health/ready")
    first = backends(sql)
    now = time.time()
    monkeypatch.setattr(db.time, "time", lambda: now + 299)
    assert service.get("/health/ready").status == 200
    assert backends(sql) != first
    assert len(backends(sql)) == 1


def test_a_read_whose_backend_is_ended_in_the_middle_is_done_again(service: Api, url: str, sql: connection) -> None:
    service.post("/ingest/generate-mock", count=2)
    with locked(url) as holder:

        def disturb() -> None:
            until_waiting(sql)
            terminate(sql)
            holder.rollback()

        disturbance = meanwhile(disturb)
        answer = service.get("/accounts")
        disturbance.join()
    assert (answer.status, answer.json["total"]) == (200, 2)


def test_a_write_whose_backend_is_ended_in_the_middle_is_a_503_and_leaves_nothing(service: Api, url: str, sql: connection) -> None:
    with locked(url, "account_metrics_daily"):  # the accounts are in by then

        def disturb() -> None:
            until_waiting(sql)
            terminate(sql)

        disturbance = meanwhile(disturb)
        answer = service.post("/ingest/generate-mock", count=3)
        disturbance.join()
    assert_unavailable(answer)
    assert "Nothing was written" in answer.json["detail"]
    assert service.get("/accounts").json["total"] == 0
    assert service.post("/ingest/generate-mock", count=3).status == 200


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
    monkeypatch.setattr(db, "STATEMENT_SECONDS", 0.2)
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
        statements.execute("SELECT current_setting('statement_timeout'), current_setting('transaction_read_only')")
        return statements.fetchone()

    assert database.write(work) == ("8s", "off")
    used = database._usable()
    assert run(used, "SHOW statement_timeout") == [("0",)]
    assert not used.get_dsn_parameters().get("options")


def test_a_read_cannot_write(service: Api) -> None:
    with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
        service.database.read("INSERT INTO accounts (name, arr, segment) VALUES ('a', 1, 'SMB') RETURNING id", {})
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


def with_part(url: str, **parts: Any) -> str:
    """The URL with another port, password or database."""
    old = urlsplit(url)
    password, port = parts.get("password", old.password), parts.get("port", old.port)
    return f"postgresql://{old.username}:{password}@localhost:{port}/{parts.get('database', old.path[1:])}"


@pytest.mark.parametrize("part", [{"password": "hunter2"}, {"database": "nowhere"}, {"port": 1}], ids=str)
def test_a_database_that_lets_nobody_in_is_a_503_without_a_secret(
    url: str, part: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    function = api(with_part(url, **part))
    started = time.monotonic()
    answers = [function.get("/accounts"), function.post("/ingest/generate-mock"), function.get("/health/ready")]
    assert time.monotonic() - started < 12
    for answer in answers:
        assert_unavailable(answer)
    assert function.get("/health/live").status == 200
    told = capsys.readouterr().out + "".join(answer.text for answer in answers)
    for secret in ("hunter2", urlsplit(url).password or ""):
        assert secret not in told


@pytest.mark.parametrize("nonsense", ["postgres//u:hunter2@h/d", "postgresql://u:hunter2@h:port/d", "host=h password"])
def test_a_url_that_is_none_is_a_503_that_does_not_quote_it(nonsense: str, capsys: pytest.CaptureFixture[str]) -> None:
    answer = api(nonsense).get("/accounts")
    assert_unavailable(answer)
    assert "hunter2" not in capsys.readouterr().out + answer.text


def test_no_connection_left_is_a_503_and_not_a_500(service: Api, url: str, sql: connection, postgres: Postgres) -> None:
    name = urlsplit(url).path[1:]
    with postgres.admin() as admin:
        run(admin, f"ALTER DATABASE {name} CONNECTION LIMIT 1")
    assert_unavailable(service.get("/accounts"))
    with postgres.admin() as admin:
        run(admin, f"ALTER DATABASE {name} CONNECTION LIMIT -1")
    assert service.get("/accounts").status == 200


class Relay:
    """Between the function and the database: lets bytes through after `delay` seconds, or keeps them while `silent`."""

    def __init__(self, url: str, delay: float = 0) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._target = (urlsplit(url).hostname or "", urlsplit(url).port or 0)
        self._delay = delay
        self._open: list[socket.socket] = [self._server]
        self.silent = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return self._server.getsockname()[1]

    def close(self) -> None:
        for opened in self._open:
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
            opened.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._server.accept()
                self._open.append(near)
                time.sleep(self._delay)
                far = socket.create_connection(self._target)
                self._open.append(far)
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._pass, args=(source, sink), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not self.silent.is_set():
                    sink.sendall(data)
        for side in (source, sink):
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def relay(url: str) -> Iterator[Relay]:
    started = Relay(url)
    yield started
    started.close()


def test_a_database_that_wakes_up_slowly_is_waited_for(url: str) -> None:
    relay = Relay(url, delay=1)
    function = api(with_part(url, port=relay.port))
    assert function.get("/accounts").status == 200
    function.close()
    relay.close()


def test_a_database_that_does_not_wake_up_is_a_503_before_the_deadline(url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        assert_unavailable(api(with_part(url, port=silent.getsockname()[1]))("GET", "/accounts", age=22.5))
        assert time.monotonic() - started < 3.5


@pytest.mark.parametrize(("method", "path"), [("GET", "/accounts"), ("POST", "/ingest/generate-mock")])
def test_a_silence_in_the_middle_ends_with_the_deadline_and_the_next_request_is_served(
    url: str, relay: Relay, method: str, path: str
) -> None:
    """A full pooler, or a network that loses everything: the database's own timeouts never start."""
    function = api(with_part(url, port=relay.port))
    assert function.get("/health/ready").status == 200
    relay.silent.set()
    started = time.monotonic()
    answer = function(method, path, age=24.5)
    assert 0.3 < time.monotonic() - started < 3
    assert_unavailable(answer)
    assert "25 seconds" in answer.json["detail"]
    relay.silent.clear()
    assert function.get("/accounts").status == 200
    function.close()


def test_a_deadline_that_never_comes_cuts_nothing(url: str) -> None:
    database = Database(url)
    for _ in range(200):
        assert database.read("SELECT 1", {}) == [(1,)]
    time.sleep(0.05)
    pid = database.read("SELECT pg_backend_pid()", {})
    assert database.read("SELECT pg_backend_pid()", {}) == pid
    database.close()


def test_without_a_database_the_rest_is_served() -> None:
    function = api("")
    assert function.get("/").status == 200
    assert_unavailable(function.get("/accounts"))
    with pytest.raises(UnavailableError):
        Database("").write(lambda _: None)
