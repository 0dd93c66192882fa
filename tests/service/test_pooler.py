"""Through PgBouncer in transaction mode, as on Neon: many environments share two connections to the database."""

import contextlib
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection

from stack.local.neon.postgres.server import Postgres
from tests.service import every_operation
from tests.service.database_faults import run
from tests.service.lambda_api import Api, api
from tests.support.pgbouncer import pooled

ENVIRONMENTS, TIMES = 4, 2
SETTINGS = (
    "statement_timeout",
    "transaction_read_only",
    "jit",
    "random_page_cost",
    "idle_in_transaction_session_timeout",
    "search_path",
)
LEFT = """
    SELECT (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'), (SELECT count(*) FROM pg_prepared_xacts),
           (SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND state LIKE 'idle in%%')
"""


@pytest.fixture
def pooler(url: str, tmp_path: Path, free_port: int) -> Iterator[str]:
    with pooled(url, tmp_path, free_port, server_connections=2) as found:
        yield found


@pytest.fixture
def filled(service: Api) -> int:
    """The id of one of the accounts that there are."""
    assert service.post("/ingest/generate-mock", count=20, seed=1).status == 200
    found = service.get("/accounts").json["accounts"][0]["id"]
    service.close()
    return found


def test_every_operation_of_many_environments_at_once_works_and_leaves_nothing_behind(
    pooler: str, url: str, filled: int, postgres: Postgres
) -> None:
    before = shown(url)
    with ProcessPoolExecutor(ENVIRONMENTS, multiprocessing.get_context("spawn")) as pool:
        told = list(
            pool.map(
                every_operation.statuses,
                *zip(*[(pooler, filled, TIMES)] * ENVIRONMENTS, strict=True),
            )
        )
    assert {(name, status) for environment in told for name, status in environment} == {
        (name, 200) for name in every_operation.REQUESTS
    }
    assert [len(environment) for environment in told] == [
        len(every_operation.REQUESTS) * TIMES
    ] * ENVIRONMENTS
    assert shown(pooler, pooler) == before * 2, "no setting outlives its transaction"
    with postgres.admin() as admin, admin.cursor() as cursor:
        cursor.execute(LEFT, (url.rsplit("/", 1)[-1],))
        assert cursor.fetchone() == (0, 0, 0)


def test_a_connection_that_the_pooler_lost_costs_a_request_nothing(
    pooler: str, filled: int, postgres: Postgres, url: str
) -> None:
    through = api(pooler)
    assert through.get("/accounts").status == 200
    with postgres.admin() as admin:
        run(
            admin,
            f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{url.rsplit('/', 1)[-1]}'",
        )
    assert through.get(f"/accounts/{filled}").status == 200
    assert through.patch(f"/accounts/{filled}", {"nps": 3}).status == 200
    through.close()


def test_a_startup_option_would_be_refused_so_none_is_sent(pooler: str, service: Api) -> None:
    with pytest.raises(psycopg2.OperationalError, match="unsupported startup parameter"):
        psycopg2.connect(pooler, options="-c statement_timeout=1000")
    through = api(pooler)
    assert through.get("/health/ready").status == 200
    through.close()


def seen(client: connection) -> list[Any]:
    """In a transaction that stays open."""
    return [run(client, f"SHOW {setting}") for setting in SETTINGS] + run(
        client, "SELECT count(*) FROM pg_class WHERE relpersistence = 't'"
    )


def shown(*urls: str) -> list[list[Any]]:
    """What fresh clients see that are there at the same time, each on a connection of its own."""
    with contextlib.ExitStack() as clients:
        return [
            seen(clients.enter_context(contextlib.closing(psycopg2.connect(url)))) for url in urls
        ]
