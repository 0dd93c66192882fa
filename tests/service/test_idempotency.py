"""Writes that are sent again: by their `Idempotency-Key` they are done once, and answered as the first time."""

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
"""Each, and another request to the same operation."""

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
    """Everything that a write could change, and which transaction did."""
    tables = ("accounts", "account_health", "account_metrics_daily", "health_snapshots")
    return [run(sql, f"SELECT t::text, xmin::text FROM {table} t ORDER BY 1") for table in tables]


def records(sql: connection) -> int:
    return run(sql, "SELECT count(*) FROM idempotency_records")[0][0]


def replayed(answer: Response) -> bool:
    return answer.headers.get("idempotent-replayed") == "true"


def test_every_write_of_the_document_is_here(service: Api) -> None:
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
def test_the_same_request_again_gets_the_first_answer_and_changes_nothing(
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
    answer = send_other(service, target, KEY)
    assert answer.status == 422
    assert answer.json["errors"] == [
        {
            "loc": ["header", "Idempotency-Key"],
            "code": "key_reused",
            "message": "Must not be that of another request",
        }
    ]
    assert rows(sql) == before
    assert replayed(send(service, target, KEY)), "the first one's answer is still there"


@every_write
def test_while_the_first_one_runs_the_second_is_told_to_come_again(
    service: Api, sql: connection, target: Target, send: Sender, send_other: Sender
) -> None:
    digest = hashlib.sha256(f"\n{KEY['idempotency-key']}".encode()).digest()
    run(sql, "BEGIN")
    with sql.cursor() as cursor:
        assert idempotency.take(cursor, digest), "as another environment does that is at it"
    before = rows(sql)
    answer = send(service, target, KEY)
    assert (answer.status, answer.headers["content-type"]) == (409, "application/problem+json")
    assert int(answer.headers["retry-after"]) >= 1
    assert rows(sql) == before
    run(sql, "ROLLBACK")
    assert send(service, target, KEY).status == 200, "what was given up is in nobody's way"


def test_two_at_once_with_one_key_are_done_once(service: Api, url: str, sql: connection) -> None:
    with (
        ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as another_environment,
        locked(url, "account_metrics_daily") as holder,
    ):
        first = another_environment.submit(in_another_environment, url)
        until_waiting(sql)
        assert service.post("/ingest/generate-mock", KEY, count=2, seed=1).status == 409
        holder.rollback()
        answer = first.result()
    again = service.post("/ingest/generate-mock", KEY, count=2, seed=1)
    assert (answer.status, again.text, replayed(again)) == (200, answer.text, True)
    assert run(sql, "SELECT count(*) FROM accounts") == [(2,)]


def in_another_environment(url: str) -> Response:
    service = api(url)
    answer = service.post("/ingest/generate-mock", KEY, count=2, seed=1)
    service.close()
    return answer


def test_a_write_that_fails_is_not_remembered(
    service: Api, sql: connection, account: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/accounts/{account}"
    for answer in (
        service.patch("/accounts/0", {"nps": 1}, KEY),
        service.patch(path, {"nps": 1}, {**KEY, "if-match": '"old"'}),
        service.patch(path, {"nps": 101}, KEY),
        upload(service, "name,arr\nAcme,1\n", KEY),
    ):
        assert answer.status in {404, 412, 422}, answer.text
    assert records(sql) == 0

    def fail(*_: Any) -> None:
        raise psycopg2.OperationalError

    with monkeypatch.context() as patched:
        patched.setattr(idempotency, "keep", fail)
        before = rows(sql)
        assert_unavailable(service.patch(path, {"nps": 1}, KEY))
        assert rows(sql) == before, "the write and its record are there together or not at all"
    answer = service.patch(path, {"nps": 1}, KEY)
    assert (answer.status, replayed(answer)) == (200, False)


def test_a_dry_run_is_not_remembered_so_that_the_real_one_may_have_its_key(
    service: Api, sql: connection
) -> None:
    assert upload(service, CSV, KEY, dry_run="true").json["accounts_created"] == 1
    assert records(sql) == 0
    answer = upload(service, CSV, KEY)
    assert (answer.json["accounts_created"], replayed(answer)) == (1, False)


COMMITTED = b"C\x00\x00\x00\x0bCOMMIT\x00"
"""The message by which the server says so, CommandComplete."""


class LostCommits(Relay):
    """Cuts the line when the database says that it has committed, so that nobody hears of it."""

    losing = True

    def passes(self, data: bytes) -> bool:
        return not self.losing or COMMITTED not in data


def test_a_write_whose_acknowledgement_was_lost_is_found_done_by_its_key(
    url: str, sql: connection
) -> None:
    relay = LostCommits(url)
    service = api(with_part(url, port=relay.port))
    lost = upload(service, CSV, KEY)
    assert_unavailable(lost)
    assert "may or may not have been done" in lost.json["detail"]
    assert run(sql, "SELECT count(*) FROM accounts") == [(1,)], "it was done"
    relay.losing = False
    again = upload(service, CSV, KEY)
    assert (again.status, again.json["accounts_created"], replayed(again)) == (200, 1, True)
    unkeyed = upload(service, CSV, {})
    assert (unkeyed.json["accounts_created"], unkeyed.json["accounts_unchanged"]) == (0, 1)
    service.close()
    relay.close()


@pytest.mark.parametrize(("hours", "known"), [(23.9, True), (24.1, False)])
def test_an_answer_is_kept_for_a_day_and_not_longer(
    service: Api, sql: connection, account: int, hours: float, known: bool
) -> None:
    path = f"/accounts/{account}"
    assert service.patch(path, {"nps": 1}, KEY).status == 200
    run(sql, f"UPDATE idempotency_records SET created_at = created_at - interval '{hours} hours'")
    answer = service.patch(path, {"nps": 1}, KEY)
    assert (answer.status, replayed(answer)) == (200, known)
    other = service.patch(path, {"nps": 2}, {"idempotency-key": "another"})
    assert other.status == 200
    assert records(sql) == 2
    assert replayed(service.patch(path, {"nps": 1}, KEY)), (
        "a key whose day is over begins a new one"
    )


def test_records_whose_day_is_over_go_with_the_next_one(
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


def test_clients_do_not_meet_in_their_keys(keyed: Api, sql: connection) -> None:
    answers = [
        keyed.post("/ingest/generate-mock", {**KEY, "x-api-key": key}, count=1, seed=1)
        for key in ("one.first", "two.second", "one.first", "two.second")
    ]
    assert [answer.json["accounts_created"] for answer in answers] == [1, 0, 1, 0]
    assert [replayed(answer) for answer in answers] == [False, False, True, True]
    assert records(sql) == 2
    assert keyed.post("/ingest/generate-mock", KEY, count=1, seed=1).status == 401, (
        "an old answer is for whom it was given"
    )


def test_no_key_is_stored_as_it_was_sent(service: Api, sql: connection, account: int) -> None:
    service.patch(f"/accounts/{account}", {"nps": 1}, {"idempotency-key": "hunter2"})
    stored = run(
        sql,
        "SELECT r::text, encode(key, 'escape'), encode(request, 'escape') FROM idempotency_records r",
    )
    assert "hunter2" not in json.dumps(stored)


@pytest.mark.parametrize("key", ["", "x" * 256, "é", "a\tb", "\x7f"], ids=ascii)
def test_a_key_that_is_none_is_refused(service: Api, account: int, key: str) -> None:
    answer = service.patch(f"/accounts/{account}", {"nps": 1}, {"idempotency-key": key})
    assert answer.status == 422
    assert answer.json["errors"][0]["loc"] == ["header", "Idempotency-Key"]


def test_the_longest_key_is_taken(service: Api, account: int) -> None:
    for _ in range(2):
        answer = service.patch(f"/accounts/{account}", {"nps": 1}, {"idempotency-key": "~" * 255})
    assert replayed(answer)
