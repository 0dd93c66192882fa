"""PgBouncer in transaction mode, as on Neon: environments share two server connections."""

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
    SELECT (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'),
           (SELECT count(*) FROM pg_prepared_xacts),
           (SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND state LIKE 'idle in%%')
"""


@pytest.fixture
def pooler(url: str, tmp_path: Path, free_port: int) -> Iterator[str]:
    with pooled(url, tmp_path, free_port, server_connections=2) as found:
        yield found


@pytest.fixture
def filled(service: Api) -> int:
    """The id of one of 20 accounts."""
    assert service.post("/ingest/generate-mock", count=20, seed=1).status == 200
    found = service.get("/accounts").json["accounts"][0]["id"]
    service.close()
    return found


def test_every_operation_works_in_concurrent_environments_and_leaves_no_session_state(
    pooler: str, url: str, filled: int, postgres: Postgres
) -> None:
    before = session_states(url)
    with ProcessPoolExecutor(ENVIRONMENTS, multiprocessing.get_context("spawn")) as pool:
        result = list(
            pool.map(
                every_operation.statuses,
                *zip(*[(pooler, filled, TIMES)] * ENVIRONMENTS, strict=True),
            )
        )
    assert {(name, status) for environment in result for name, status in environment} == {
        (name, 200) for name in every_operation.REQUESTS
    }
    assert [len(environment) for environment in result] == [
        len(every_operation.REQUESTS) * TIMES
    ] * ENVIRONMENTS
    assert session_states(pooler, pooler) == before * 2, "no setting outlives its transaction"
    with postgres.admin() as admin, admin.cursor() as cursor:
        cursor.execute(LEFT, (url.rsplit("/", 1)[-1],))
        assert cursor.fetchone() == (0, 0, 0)


def test_a_server_connection_that_the_pooler_lost_fails_no_request(
    pooler: str, filled: int, postgres: Postgres, url: str
) -> None:
    through = api(pooler)
    assert through.get("/accounts").status == 200
    with postgres.admin() as admin:
        run(
            admin,
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            f" WHERE datname = '{url.rsplit('/', 1)[-1]}'",
        )
    assert through.get(f"/accounts/{filled}").status == 200
    assert through.patch(f"/accounts/{filled}", {"nps": 3}).status == 200
    through.close()


def test_no_startup_option_is_sent_because_the_pooler_refuses_it(pooler: str, service: Api) -> None:
    with pytest.raises(psycopg2.OperationalError, match="unsupported startup parameter"):
        psycopg2.connect(pooler, options="-c statement_timeout=1000")
    through = api(pooler)
    assert through.get("/health/ready").status == 200
    through.close()


def session_state(client: connection) -> list[Any]:
    """Return settings and temporary tables, in a transaction that stays open."""
    return [run(client, f"SHOW {setting}") for setting in SETTINGS] + run(
        client, "SELECT count(*) FROM pg_class WHERE relpersistence = 't'"
    )


def session_states(*urls: str) -> list[list[Any]]:
    """Return the session state of concurrent new clients, each on its own server connection."""
    with contextlib.ExitStack() as clients:
        return [
            session_state(clients.enter_context(contextlib.closing(psycopg2.connect(url))))
            for url in urls
        ]
