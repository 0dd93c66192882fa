"""Concurrent imports end in one consistent state, whatever their order."""

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from typing import Any

import psycopg2
import pytest
from psycopg2 import errors as pg
from psycopg2.extensions import connection

from benchmarks.csv_files import accounts_csv, days_csv
from service.database.connection import Database
from service.importing import read_file
from service.queries.imports import load
from tests.service.imported import TODAY, counts, fetch, stale
from tests.service.lambda_api import Api, Response
from tests.service.test_database_faults import until_waiting
from tests.service.uploads import upload


def together(url: str, *contents: bytes) -> list[dict[str, Any]]:
    """Imports each file on a connection of its own, at the same time."""
    files = [read_file(io.BytesIO(content)) for content in contents]
    barrier, results, failures = (
        threading.Barrier(len(files)),
        list[dict[str, Any]](),
        list[Exception](),
    )

    def run(work: Callable[[Any], dict[str, Any]]) -> None:
        database = Database(url)
        try:
            database.read("SELECT 1", {})
            barrier.wait(30)
            results.append(database.write(work))
        except Exception as error:  # noqa: BLE001 - asserted in the thread of the test
            failures.append(error)
        finally:
            database.close()

    threads = [
        threading.Thread(target=run, args=(partial(load, file=file, today=TODAY, dry_run=False),))
        for file in files
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert failures == []
    return results


def in_reverse(content: bytes) -> bytes:
    header, *rows = content.splitlines(keepends=True)
    return b"".join([header, *reversed(rows)])


@pytest.mark.parametrize("there", [0, 150, 300])
def test_two_at_once_with_the_same_names_in_opposite_order_end_as_one_after_the_other(
    url: str, service: Api, sql: connection, there: int
) -> None:
    if there:
        upload(service, accounts_csv(there, seed=9))
    first, second = accounts_csv(300, seed=1), accounts_csv(300, seed=2)
    for _ in range(3):
        results = together(url, first, in_reverse(second))
        assert sum(result["accounts_created"] for result in results) in {0, 300 - there}
        there = 300
        assert fetch(sql, "SELECT count(*) FROM accounts") == [(300,)]
        last = [counts(upload(service, content, dry_run="true")) for content in (first, second)]
        assert sorted(last) == [(0, 0, 300, 0, 0), (0, 300, 0, 0, 0)]
        assert stale(sql) == []


@contextmanager
def unfinished(url: str, content: bytes) -> Iterator[connection]:
    """Inside, an import has written everything and not committed."""
    with closing(psycopg2.connect(url)) as other, other.cursor() as cursor:
        load(cursor, read_file(io.BytesIO(content)), today=TODAY, dry_run=False)
        yield other
        other.commit()


@contextmanager
def meanwhile(service: Api, sql: connection, content: bytes) -> Iterator[list[Response]]:
    """An upload that waits for a lock inside, and its response is in the list afterwards."""
    responses: list[Response] = []
    thread = threading.Thread(target=lambda: responses.append(upload(service, content)))
    thread.start()
    until_waiting(sql)
    yield responses
    thread.join(60)
    assert not thread.is_alive()


@pytest.mark.parametrize("days_first", [True, False], ids=["days first", "columns first"])
def test_a_change_of_days_and_one_of_columns_at_once_are_both_in_the_score(
    url: str, service: Api, sql: connection, days_first: bool
) -> None:
    upload(service, accounts_csv(20))
    days, columns = days_csv(20, 3), accounts_csv(20).replace(b",true", b",false")
    first, second = (days, columns) if days_first else (columns, days)
    with ExitStack() as stack:
        other = stack.enter_context(unfinished(url, first))
        responses = stack.enter_context(meanwhile(service, sql, second))
        other.commit()
    assert responses[0].status == 200
    assert stale(sql) == []
    assert fetch(sql, "SELECT count(*) FROM accounts WHERE onboarding_phase") == [(0,)]
    assert fetch(sql, "SELECT count(*) FROM account_metrics_daily") == [(60,)]


def test_rows_are_locked_in_the_order_of_the_names_so_that_two_imports_cannot_deadlock(
    url: str, service: Api, sql: connection
) -> None:
    upload(service, accounts_csv(40))
    names = [name for (name,) in fetch(sql, "SELECT name FROM accounts ORDER BY name")]
    with closing(psycopg2.connect(url)) as other, ExitStack() as stack:
        with other.cursor() as cursor:
            cursor.execute("SELECT FROM accounts WHERE name = %s FOR UPDATE", (names[20],))
        stack.enter_context(meanwhile(service, sql, in_reverse(accounts_csv(40, seed=2))))
        free = fetch(sql, "SELECT name FROM accounts ORDER BY name FOR UPDATE SKIP LOCKED")
        other.rollback()
    assert [name for (name,) in free] == names[21:]


def test_rows_are_inserted_in_the_order_of_the_names_too(
    url: str, service: Api, sql: connection
) -> None:
    names = [f"Invented Customer {number:06} Ltd" for number in range(40)]
    insert = "INSERT INTO accounts (name, arr, segment) VALUES (%s, 1, 'SMB')"
    taken: list[str] = []
    with (
        closing(psycopg2.connect(url)) as other,
        closing(psycopg2.connect(url)) as probe,
        ExitStack() as stack,
    ):
        with other.cursor() as cursor:
            cursor.execute(insert, (names[20],))
        stack.enter_context(meanwhile(service, sql, in_reverse(accounts_csv(40))))
        for name in names[15:20] + names[21:26]:
            with probe.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '50ms'")
                try:
                    cursor.execute(insert, (name,))
                except pg.LockNotAvailable:
                    taken.append(name)
            probe.rollback()
        other.rollback()
    assert taken == names[15:20]
    assert fetch(sql, "SELECT count(*) FROM accounts") == [(40,)]
