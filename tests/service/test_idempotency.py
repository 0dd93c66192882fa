"""Writes with an `Idempotency-Key` are executed once, and repeated requests get its response."""

import hashlib
import json
import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any, NamedTuple

import psycopg2
import pytest
from psycopg2.extensions import connection

from service.queries import idempotency
from service.settings import ApiKey
from tests.service.database_faults import (
    Relay,
    assert_unavailable,
    locked,
    run,
    until_waiting,
    with_part,
)
from tests.service.every_operation import CSV
from tests.service.lambda_api import ORIGIN, Api, Response, api
from tests.service.uploads import upload

KEY = {"idempotency-key": "a key, of blanks too"}


class Target(NamedTuple):
    """What the writes of a test are about."""

    account: int
    import_id: int


Sender = Callable[[Api, Target, dict[str, str]], Response]
WRITES: dict[str, tuple[Sender, Sender]] = {
    "POST /ingest/csv": (
        lambda service, _, headers: upload(service, CSV, headers),
        lambda service, _, headers: upload(service, CSV.replace("1,SMB", "2,SMB"), headers),
    ),
    "POST /ingest/generate-mock": (
        lambda service, _, headers: service.post("/ingest/generate-mock", headers, count=2),
        lambda service, _, headers: service.post("/ingest/generate-mock", headers, count=3),
    ),
    "PATCH /accounts/{account_id}": (
        lambda service, target, headers: service.patch(
            f"/accounts/{target.account}", {"nps": 1}, headers
        ),
        lambda service, target, headers: service.patch(
            f"/accounts/{target.account}", {"nps": 2}, headers
        ),
    ),
    "DELETE /accounts/{account_id}": (
        lambda service, target, headers: service("DELETE", f"/accounts/{target.account}", headers),
        lambda service, target, headers: service(
            "DELETE", f"/accounts/{target.account + 1}", headers
        ),
    ),
    "POST /ingest/{import_id}/undo": (
        lambda service, target, headers: service.post(f"/ingest/{target.import_id}/undo", headers),
        lambda service, target, headers: service.post(
            f"/ingest/{target.import_id + 1}/undo", headers
        ),
    ),
    "POST /health/recompute": (
        lambda service, _, headers: service.post("/health/recompute", headers),
        lambda service, _, headers: service.post("/health/recompute", headers, limit=1),
    ),
}
"""Each write, and another request to the same path."""

every_write = pytest.mark.parametrize(("send", "send_other"), WRITES.values(), ids=WRITES)


@pytest.fixture
def account(service: Api) -> int:
    assert service.post("/ingest/generate-mock", count=1, seed=99).status == 200
    return service.get("/accounts").json["accounts"][0]["id"]


@pytest.fixture
def target(service: Api, account: int) -> Target:
    imported = upload(service, CSV.replace("Every Operation", "To Be Undone"))
    return Target(account, imported.json["import_id"])


def rows(sql: connection) -> list[Any]:
    """Return all rows that a write could change, each with the transaction that wrote it."""
    tables = ("accounts", "account_health", "account_metrics_daily", "health_snapshots")
    return [run(sql, f"SELECT t::text, xmin::text FROM {table} t ORDER BY 1") for table in tables]


def records(sql: connection) -> int:
    return run(sql, "SELECT count(*) FROM idempotency_records")[0][0]


def replayed(response: Response) -> bool:
    return response.headers.get("idempotent-replayed") == "true"


def test_every_documented_write_is_tested(service: Api) -> None:
    paths = service.get("/openapi.json").json["paths"]
    taking = {
        f"{method.upper()} {path}"
        for path, operations in paths.items()
        for method, operation in operations.items()
        if any(
            parameter["name"] == "Idempotency-Key" for parameter in operation.get("parameters", ())
        )
    }
    assert taking == set(WRITES)


@every_write
def test_a_repeated_request_gets_the_first_response_and_changes_nothing(
    service: Api, sql: connection, target: Target, send: Sender, send_other: Sender
) -> None:
    first = send(service, target, {**KEY, "origin": ORIGIN})
    assert (first.status, replayed(first)) == (200, False)
    before = rows(sql)
    again = send(service, target, {**KEY, "origin": ORIGIN})
    assert (again.status, replayed(again), again.text) == (200, True, first.text)
    assert again.headers.get("etag") == first.headers.get("etag")
    assert again.headers["content-type"] == "application/json"
    assert again.headers["access-control-allow-origin"] == ORIGIN
    assert "Idempotent-Replayed" in again.headers["access-control-expose-headers"].split(", ")
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert rows(sql) == before
    assert records(sql) == 1


@every_write
def test_another_request_with_the_same_key_is_refused_and_changes_nothing(
    service: Api, sql: connection, target: Target, send: Sender, send_other: Sender
) -> None:
    assert send(service, target, KEY).status == 200
    before = rows(sql)
    response = send_other(service, target, KEY)
    assert response.status == 422
    assert response.json["errors"] == [
        {
            "loc": ["header", "Idempotency-Key"],
            "code": "key_reused",
            "message": "Must not be that of another request",
        }
    ]
    assert rows(sql) == before
    assert replayed(send(service, target, KEY)), "the record of the first request is still there"


@every_write
def test_while_a_request_runs_another_with_its_key_is_a_409_to_retry(
    service: Api, sql: connection, target: Target, send: Sender, send_other: Sender
) -> None:
    digest = hashlib.sha256(f"\n{KEY['idempotency-key']}".encode()).digest()
    run(sql, "BEGIN")
    with sql.cursor() as cursor:
        assert idempotency.take(cursor, digest), (
            "as another environment would while it runs the request"
        )
    before = rows(sql)
    response = send(service, target, KEY)
    assert (response.status, response.headers["content-type"]) == (409, "application/problem+json")
    assert int(response.headers["retry-after"]) >= 1
    assert rows(sql) == before
    run(sql, "ROLLBACK")
    assert send(service, target, KEY).status == 200, "a request that was rolled back holds no lock"


def test_two_concurrent_requests_with_one_key_are_executed_once(
    service: Api, url: str, sql: connection
) -> None:
    with (
        ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as another_environment,
        locked(url, "account_metrics_daily") as holder,
    ):
        first = another_environment.submit(in_another_environment, url)
        until_waiting(sql)
        assert service.post("/ingest/generate-mock", KEY, count=2, seed=1).status == 409
        holder.rollback()
        response = first.result()
    again = service.post("/ingest/generate-mock", KEY, count=2, seed=1)
    assert (response.status, again.text, replayed(again)) == (200, response.text, True)
    assert run(sql, "SELECT count(*) FROM accounts") == [(2,)]


def in_another_environment(url: str) -> Response:
    service = api(url)
    response = service.post("/ingest/generate-mock", KEY, count=2, seed=1)
    service.close()
    return response


def test_a_write_that_fails_is_not_recorded(
    service: Api, sql: connection, account: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/accounts/{account}"
    for response in (
        service.patch("/accounts/0", {"nps": 1}, KEY),
        service.patch(path, {"nps": 1}, {**KEY, "if-match": '"old"'}),
        service.patch(path, {"nps": 101}, KEY),
        upload(service, "name,arr\nAcme,1\n", KEY),
    ):
        assert response.status in {404, 412, 422}, response.text
    assert records(sql) == 0

    def fail(*_: Any) -> None:
        raise psycopg2.OperationalError

    with monkeypatch.context() as patched:
        patched.setattr(idempotency, "keep", fail)
        before = rows(sql)
        assert_unavailable(service.patch(path, {"nps": 1}, KEY))
        assert rows(sql) == before, "the write and its record are in one transaction"
    response = service.patch(path, {"nps": 1}, KEY)
    assert (response.status, replayed(response)) == (200, False)


def test_a_dry_run_is_not_recorded_and_the_import_can_use_its_key(
    service: Api, sql: connection
) -> None:
    assert upload(service, CSV, KEY, dry_run="true").json["accounts_created"] == 1
    assert records(sql) == 0
    response = upload(service, CSV, KEY)
    assert (response.json["accounts_created"], replayed(response)) == (1, False)


COMMITTED = b"C\x00\x00\x00\x0bCOMMIT\x00"
"""CommandComplete, the server's message after a commit."""


class LostCommits(Relay):
    """Closes the connection instead of forwarding the message that a commit succeeded."""

    active = True

    def passes(self, data: bytes) -> bool:
        return not self.active or COMMITTED not in data


def test_a_write_whose_acknowledgement_was_lost_is_found_by_its_key(
    url: str, sql: connection
) -> None:
    relay = LostCommits(url)
    service = api(with_part(url, port=relay.port))
    lost = upload(service, CSV, KEY)
    assert_unavailable(lost)
    assert "may or may not have been done" in lost.json["detail"]
    assert run(sql, "SELECT count(*) FROM accounts") == [(1,)], "the write was committed"
    relay.active = False
    again = upload(service, CSV, KEY)
    assert (again.status, again.json["accounts_created"], replayed(again)) == (200, 1, True)
    unkeyed = upload(service, CSV, {})
    assert (unkeyed.json["accounts_created"], unkeyed.json["accounts_unchanged"]) == (0, 1)
    service.close()
    relay.close()


@pytest.mark.parametrize(("hours", "known"), [(23.9, True), (24.1, False)])
def test_a_record_is_valid_for_24_hours(
    service: Api, sql: connection, account: int, hours: float, known: bool
) -> None:
    path = f"/accounts/{account}"
    assert service.patch(path, {"nps": 1}, KEY).status == 200
    run(sql, f"UPDATE idempotency_records SET created_at = created_at - interval '{hours} hours'")
    response = service.patch(path, {"nps": 1}, KEY)
    assert (response.status, replayed(response)) == (200, known)
    other = service.patch(path, {"nps": 2}, {"idempotency-key": "another"})
    assert other.status == 200
    assert records(sql) == 2
    assert replayed(service.patch(path, {"nps": 1}, KEY)), "an expired key can be used again"


def test_expired_records_are_deleted_with_the_next_one(
    service: Api, sql: connection, account: int
) -> None:
    for number in range(5):
        assert (
            service.patch(
                f"/accounts/{account}", {"nps": number}, {"idempotency-key": f"key {number}"}
            ).status
            == 200
        )
    run(sql, "UPDATE idempotency_records SET created_at = created_at - interval '25 hours'")
    assert (
        service.patch(f"/accounts/{account}", {"nps": 9}, {"idempotency-key": "key 9"}).status
        == 200
    )
    assert records(sql) == 1


@pytest.fixture
def keyed(url: str) -> Iterator[Api]:
    secrets = {"one": b"first", "two": b"second"}
    service = api(
        url,
        api_keys={
            name: ApiKey(scope="write", digest=hashlib.sha256(secret).digest())
            for name, secret in secrets.items()
        },
    )
    yield service
    service.close()


def test_api_keys_have_separate_idempotency_keys(keyed: Api, sql: connection) -> None:
    responses = [
        keyed.post("/ingest/generate-mock", {**KEY, "x-api-key": key}, count=1, seed=1)
        for key in ("one.first", "two.second", "one.first", "two.second")
    ]
    assert [response.json["accounts_created"] for response in responses] == [1, 0, 1, 0]
    assert [replayed(response) for response in responses] == [False, False, True, True]
    assert records(sql) == 2
    assert keyed.post("/ingest/generate-mock", KEY, count=1, seed=1).status == 401, (
        "a recorded response is for the same API key only"
    )


def test_keys_are_stored_as_hashes(service: Api, sql: connection, account: int) -> None:
    service.patch(f"/accounts/{account}", {"nps": 1}, {"idempotency-key": "hunter2"})
    stored = run(
        sql,
        "SELECT r::text, encode(key, 'escape'), encode(request, 'escape')"
        " FROM idempotency_records r",
    )
    assert "hunter2" not in json.dumps(stored)


@pytest.mark.parametrize("key", ["", "x" * 256, "é", "a\tb", "\x7f"], ids=ascii)
def test_an_invalid_key_is_refused(service: Api, account: int, key: str) -> None:
    response = service.patch(f"/accounts/{account}", {"nps": 1}, {"idempotency-key": key})
    assert response.status == 422
    assert response.json["errors"][0]["loc"] == ["header", "Idempotency-Key"]


def test_a_key_of_the_maximum_length_is_accepted(service: Api, account: int) -> None:
    headers = {"idempotency-key": "~" * 255}
    responses = [service.patch(f"/accounts/{account}", {"nps": 1}, headers) for _ in range(2)]
    assert [replayed(response) for response in responses] == [False, True]
