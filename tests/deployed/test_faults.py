"""A database whose backends end while several execution environments use it."""

import contextlib
import itertools
import json
import random
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection

from tests.deployed.conftest import Deployed, Response
from tests.service.database_faults import BACKENDS, in_thread, locked, run, terminate, until_waiting
from tests.service.uploads import MULTIPART, body, part

pytestmark = pytest.mark.xdist_group("deployed")

WRITERS, ENOUGH_WRITES, ENOUGH_FAULTS, MOST_WRITES, MOST_ATTEMPTS = 4, 100, 5, 2000, 50


@pytest.fixture
def sql(deployed: Deployed) -> Iterator[connection]:
    with contextlib.closing(psycopg2.connect(deployed.database_url)) as opened:
        opened.autocommit = True
        yield opened


def write(deployed: Deployed, name: str, key: str) -> Response:
    content = (
        f"name,arr,segment,date,logins\n{name},1,SMB,2026-01-01,1\n{name},,,2026-01-02,2\n".encode()
    )
    return deployed(
        "POST",
        "/ingest/csv",
        {"content-type": MULTIPART, "idempotency-key": key},
        body=body(part(content)),
    )


def test_when_a_backend_ends_a_read_is_repeated_and_a_write_is_rolled_back(
    deployed: Deployed, sql: connection
) -> None:
    responses: list[Response] = []

    def ended_under(table: str, *request: Any, **query: Any) -> Response:
        with locked(deployed.database_url, table) as holder:
            asking = in_thread(lambda: responses.append(deployed(*request, **query)))
            until_waiting(sql)
            terminate(sql)
            holder.rollback()
            asking.join()
        return responses.pop()

    read = ended_under("accounts", "GET", "/accounts")
    assert (read.status, read.json["total"]) == (200, 30)
    written = ended_under("account_metrics_daily", "POST", "/ingest/generate-mock", count=3, seed=9)
    assert (written.status, written.headers["content-type"]) == (503, "application/problem+json")
    assert int(written.headers["retry-after"]) >= 1
    assert deployed("GET", "/accounts").json["total"] == 30


def test_writes_with_idempotency_keys_are_done_exactly_once_while_backends_end(
    deployed: Deployed, sql: connection
) -> None:
    """Every write that succeeded is stored once; every other one is sent again."""
    statuses, numbers, ended = Counter[int](), itertools.count(), threading.Event()
    acknowledged: dict[str, Any] = {}
    chance = random.Random(1)

    def end_backends() -> None:
        with contextlib.closing(psycopg2.connect(deployed.database_url)) as other:
            other.autocommit = True
            while not ended.is_set():
                run(
                    other,
                    f"SELECT pg_terminate_backend(pid) {BACKENDS} AND state <> 'idle' LIMIT 1",
                )
                ended.wait(chance.uniform(0.02, 0.2))

    def enough() -> bool:
        return len(acknowledged) >= ENOUGH_WRITES and statuses[503] >= ENOUGH_FAULTS

    def keep_writing() -> None:
        while not enough() and (number := next(numbers)) < MOST_WRITES:
            name = f"written {number:05}"
            for _ in range(MOST_ATTEMPTS):
                response = write(deployed, name, f"key-{number}")
                statuses[response.status] += 1
                if response.status == 200:
                    acknowledged[name] = response.json
                    break
                assert response.status in {409, 503}, response.content

    disturbance = in_thread(end_backends)
    try:
        with ThreadPoolExecutor(WRITERS) as pool:
            for writer in [pool.submit(keep_writing) for _ in range(WRITERS)]:
                writer.result()
    finally:
        ended.set()
        disturbance.join()
    assert enough(), statuses
    days = "accounts a JOIN account_metrics_daily d ON d.account_id = a.id"
    stored = run(
        sql, f"SELECT a.name, count(*) FROM {days} WHERE a.name LIKE 'written %' GROUP BY a.id"
    )
    assert dict(stored) == dict.fromkeys(acknowledged, 2)
    assert len(stored) == len(acknowledged)
    assert {
        (body["accounts_created"], body["metrics_created"]) for body in acknowledged.values()
    } == {(1, 2)}, "a repeated response has the counts of the write"
    assert deployed("GET", "/portfolio/metrics").json["total_accounts"] == 30 + len(acknowledged)
    print(json.dumps({"acknowledged": len(acknowledged), "statuses": statuses}))
