"""Builds databases of a given number of accounts, once for each size.

Accounts and days are loaded by COPY, the service computes the scores, and the history is derived
from them.
"""

import hashlib
import importlib
import os
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection

from benchmarks.database import migrated, server
from benchmarks.service import data
from service.clock import today
from service.queries.bulk_load import copy_text
from service.queries.rollups import compact
from service.queries.scores import recompute
from service.scoring.rules import BUCKETS
from stack.local.neon.postgres.server import Postgres

BUILDING = {
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_size": "8GB",
    "max_wal_senders": "0",
    "checkpoint_timeout": "1h",
    "maintenance_work_mem": "1GB",
    "work_mem": "64MB",
    "shared_buffers": "1GB",
}
"""Settings of the server that builds.

Another server, with the local cloud's settings, is used to measure.
"""

CHUNK = 50_000
WITH_DAYS = 10_000
"""Largest size whose accounts have daily rows."""
SNAPSHOTS = 8
FIRST_AGO, EACH_AGO = 83, 30
"""Age in days of the newest earlier snapshot (at most), and the distance to each one before it.

On average 1.36 snapshots of an account lie in the last 30 days.
"""

_MIGRATION = importlib.import_module("service.migrations.versions.0006_upkeep")
_TABLES = (
    "accounts",
    "account_health",
    "account_search_names",
    "account_metrics_daily",
    "health_snapshots",
)

_BUCKET = " ".join(f"WHEN earlier >= {lowest} THEN '{name}'" for name, lowest in BUCKETS)
_HISTORY = f"""
    INSERT INTO health_snapshots (
        account_id, calculated_at, score, risk_label, coverage,
        component_values, component_points, adjustments
    )
    SELECT account_id,
        calculated_at - make_interval(secs => 86400 * (ago + {EACH_AGO} * (step - 1))), earlier,
        CASE {_BUCKET} END,
        coverage, component_values, component_points,
        ARRAY[adjustments[1], adjustments[2], adjustments[3] + earlier - score]
    FROM (
        SELECT *,
            least(greatest(
                score + hashint8(account_id * 16 + step) / 2147483648.0 * 3 * step, 0
            ), 100) AS earlier,
            (hashint8(account_id) / 4294967296.0 + 0.5) * {FIRST_AGO} AS ago
        FROM account_health, (SELECT %s AS step) chosen
    ) invented ORDER BY account_id
"""
"""Inserts earlier snapshots, with scores that differ more the older they are.

The adjustment `limit` takes the difference, so that the factors still add up.
"""


def build(home: Path, sizes: Iterable[int]) -> dict[int, str]:
    """Returns the names of the databases by number of accounts; builds those that are missing."""
    names = {size: f"accounts_{size}_{_version()}" for size in sizes}
    with server(home, BUILDING) as running:
        _drop_outdated(running)
        for size, name in names.items():
            if not running.database_exists(name):
                _build(running, size, name)
    os.sync()
    return names


def _drop_outdated(running: Postgres) -> None:
    with running.admin() as admin, admin.cursor() as statements:
        statements.execute(
            "SELECT datname FROM pg_database WHERE datname LIKE 'accounts\\_%%' AND "
            "datname NOT LIKE %s",
            (f"%{_version()}",),
        )
        outdated = [name for (name,) in statements.fetchall()]
    for name in outdated:
        running.drop_database(name)


def _version() -> str:
    """Returns a hash of everything that determines the data."""
    migrations = Path(__file__).parent.parent.parent / "service/migrations/versions"
    sources = [Path(__file__), Path(data.__file__), *sorted(migrations.glob("*.py"))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:8]


def _build(running: Postgres, size: int, name: str) -> None:
    unfinished, started = f"building_{size}", time.monotonic()
    running.drop_database(unfinished)
    with (
        closing(psycopg2.connect(migrated(running, unfinished))) as service,
        running.admin(unfinished) as admin,
    ):
        with _without_indexes(admin):
            _progress(f"{size:,} accounts", _accounts, service, size)
            if size <= WITH_DAYS:
                _progress(f"{data.DAYS} days of each", _days, service, size)
            with admin.cursor() as statements:
                statements.execute("VACUUM ANALYZE")
            _progress("scores", _scores, service, admin)
            _progress("their history", _history, admin, size)
            print("  indexes", end="", flush=True)
        with service, service.cursor() as statements:
            statements.execute("SELECT compact_rollups(0)")
        with admin.cursor() as statements:
            statements.execute("VACUUM ANALYZE")
            statements.execute("SELECT pg_size_pretty(pg_database_size(current_database()))")
            (occupied,) = statements.fetchone() or ("",)
    with running.admin() as admin, admin.cursor() as statements:
        statements.execute(
            sql.SQL("ALTER DATABASE {} RENAME TO {}").format(
                sql.Identifier(unfinished), sql.Identifier(name)
            )
        )
    print(f"\n  built in {time.monotonic() - started:.0f} s, {occupied}", flush=True)


def _progress(what: str, work: Callable[..., None], *arguments: object) -> None:
    print(f"  {what}", end="", flush=True)
    started = time.monotonic()
    work(*arguments)
    print(f" {time.monotonic() - started:.0f} s", end=";", flush=True)


@contextmanager
def _without_indexes(admin: connection) -> Generator[None]:
    """Drops the indexes that are not unique, and creates them again from their definitions."""
    with admin.cursor() as statements:
        statements.execute(
            "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index"
            " WHERE indrelid = ANY(%s::regclass[]) AND NOT indisunique",
            (list(_TABLES),),
        )
        indexes = dict(statements.fetchall())
        for index in indexes:
            statements.execute(f"DROP INDEX {index}")
        yield
        for definition in indexes.values():
            statements.execute(definition)


def _accounts(service: connection, size: int) -> None:
    """Inserts the accounts; the database's triggers add the dependent rows."""
    lines = data.accounts(size, today())
    while chunk := list(islice(lines, CHUNK)):
        with service, service.cursor() as statements:
            copy_text(statements, "accounts", data.ACCOUNT, chunk)
            compact(statements)
    with service, service.cursor() as statements:
        statements.execute("ALTER TABLE accounts ALTER COLUMN id RESTART WITH %s", (size + 1,))


def _days(service: connection, size: int) -> None:
    with service, service.cursor() as statements:
        copy_text(statements, "account_metrics_daily", data.DAY, data.days(size, today()))


def _scores(service: connection, admin: connection) -> None:
    """Computes the scores. VACUUM removes dead rollup rows meanwhile, as autovacuum would."""
    after: int | None = 0
    while after is not None:
        with service, service.cursor() as statements:
            after = recompute(statements, after=after, limit=CHUNK, today=today()).next_cursor
            compact(statements)
        with admin.cursor() as statements:
            statements.execute("VACUUM portfolio_cells, owner_cells, score_bins, renewal_days")


def _history(admin: connection, size: int) -> None:
    with admin.cursor() as statements:
        statements.execute(
            "SET session_replication_role = replica"
        )  # what they refer to is there: it need not be looked up each time
        for step in range(SNAPSHOTS - 1, 0, -1):
            statements.execute(_HISTORY, (step,))
        for statement in _MIGRATION.FILL:  # what the service writes with each snapshot
            statements.execute(statement.format(after=0, until=size))
        statements.execute("RESET session_replication_role")
