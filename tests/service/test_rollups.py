"""The sums in the rollup tables equal those counted from the rows."""

import random
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from psycopg2.extensions import connection

from service.database.connection import Database, Statements
from service.queries import rollups, samples
from service.queries.changes import change
from service.queries.scores import recompute

TODAY = datetime.now(UTC).date()

SUMS = "sum(accounts)::bigint, sum(with_renewal)::bigint"
COUNTS = "count(*), count(h.renewal_date)"
MEASURES = ", ".join(
    f"sum({name})"
    for name in (
        "arr",
        "score_nanos",
        "with_seat_use",
        "seat_use_nanos",
        "with_feature",
        "feature_nanos",
        "tickets",
        "critical",
    )
)
FROM_ROWS = """
    coalesce(sum(a.arr), 0), coalesce(sum((h.score * 1e9)::bigint), 0),
    count(*) FILTER (WHERE a.active_users IS NOT NULL AND a.seats_purchased IS NOT NULL),
    coalesce(sum((CASE WHEN a.active_users > a.seats_purchased THEN 1
        ELSE a.active_users::double precision / a.seats_purchased END * 1e9)::bigint), 0),
    count(a.feature_x_adoption), coalesce(sum((a.feature_x_adoption * 1e9)::bigint), 0),
    coalesce(sum(a.tickets_last_30d), 0), coalesce(sum(a.critical_tickets_90d), 0)
"""
BOTH = "accounts a JOIN account_health h ON h.account_id = a.id"

ROLLED_UP = {
    "portfolio_cells": f"SELECT segment, bucket, region, industry, {SUMS}, {MEASURES}"
    f" FROM portfolio_cells GROUP BY 1, 2, 3, 4",
    "owner_cells": f"SELECT cs_owner, segment, bucket, region, {SUMS}"
    f" FROM owner_cells GROUP BY 1, 2, 3, 4",
    "score_bins": "SELECT eighth, sum(accounts) FROM score_bins GROUP BY 1",
    "renewal_days": "SELECT renewal_date, bucket, sum(accounts), sum(arr)"
    " FROM renewal_days GROUP BY 1, 2",
}
COUNTED = {
    "portfolio_cells": f"SELECT a.segment, h.bucket, a.region, a.industry, {COUNTS}, {FROM_ROWS}"
    f" FROM {BOTH} GROUP BY 1, 2, 3, 4",
    "owner_cells": f"SELECT a.cs_owner, a.segment, h.bucket, a.region, {COUNTS}"
    f" FROM {BOTH} GROUP BY 1, 2, 3, 4",
    "score_bins": f"SELECT floor(h.score * 8), count(*) FROM {BOTH}"
    f" WHERE h.score IS NOT NULL GROUP BY 1",
    "renewal_days": f"SELECT a.renewal_date, h.bucket, count(*), sum(a.arr)"
    f" FROM {BOTH} WHERE a.renewal_date IS NOT NULL GROUP BY 1, 2",
}
NAMES = {
    "portfolio_cells": "segment, bucket, region, industry",
    "owner_cells": "cs_owner, segment, bucket, region",
    "score_bins": "eighth",
    "renewal_days": "renewal_date, bucket",
}
KEYS = {table: len(names.split(", ")) for table, names in NAMES.items()}

SEGMENTS, REGIONS, OWNERS = (
    ("SMB", "Mid-Market", "Enterprise"),
    ("EMEA", "APAC", None),
    ("Ada", "Bo", None),
)


def run(sql: connection, statement: str, values: Any = None) -> list[tuple[Any, ...]]:
    with sql.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def assert_rollups_match(sql: connection) -> None:
    for table, keys in KEYS.items():
        rolled_up = {
            row[:keys]: tuple(map(float, row[keys:]))
            for row in run(sql, ROLLED_UP[table])
            if any(row[keys:])
        }
        counted = {
            tuple(row[:keys]): tuple(map(float, row[keys:])) for row in run(sql, COUNTED[table])
        }
        assert rolled_up == counted, table
    stale = run(
        sql,
        "SELECT id, lower(name) FROM accounts"
        " EXCEPT SELECT account_id, name_lower FROM account_search_names",
    )
    assert stale == []


def insert(sql: connection, draw: random.Random, names: Sequence[str]) -> None:
    with sql.cursor() as cursor:
        values = [
            cursor.mogrify(
                "(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                (
                    name,
                    draw.randrange(10**6) / 100,
                    draw.choice(SEGMENTS),
                    draw.choice(REGIONS),
                    draw.choice(OWNERS),
                    draw.choice(("Energy", None)),
                    draw.choice((None, TODAY + timedelta(draw.randrange(-50, 50)))),
                    draw.choice((None, draw.randrange(300))),
                    draw.choice((None, draw.randrange(1, 200))),
                    draw.choice((None, draw.random())),
                ),
            ).decode()
            for name in names
        ]
        cursor.execute(
            "INSERT INTO accounts (name, arr, segment, region, cs_owner, industry, renewal_date,"
            " active_users, seats_purchased,"
            f" feature_x_adoption) VALUES {', '.join(values)}"
        )


def rescore(sql: connection, draw: random.Random) -> None:
    run(
        sql,
        "UPDATE account_health SET score = s, bucket = CASE WHEN s >= 75 THEN 'Green' WHEN s >= 50"
        " THEN 'Amber' WHEN s >= 0 THEN 'Red' END"
        " FROM (SELECT account_id AS id, CASE WHEN random() < 0.9 THEN random() * 100 END AS s"
        " FROM account_health"
        " ORDER BY random() LIMIT %s) new WHERE id = account_id",
        (draw.randrange(1, 30),),
    )


CHANGES = (
    "UPDATE accounts SET segment = 'SMB', arr = arr + 1 WHERE id % 3 = 0",
    "UPDATE accounts SET region = NULL, cs_owner = 'Cleo', name = name || ' Renamed'"
    " WHERE id % 5 = 0",
    "UPDATE accounts SET renewal_date = renewal_date + 1, active_users = NULL WHERE id % 2 = 0",
    "UPDATE accounts SET seats_purchased = 10, active_users = 20, tickets_last_30d = 3,"
    " critical_tickets_90d = 2 WHERE id % 4 = 0",
    "DELETE FROM accounts WHERE id % 7 = 0",
    "UPDATE accounts SET nps = 3",
)


@pytest.mark.parametrize("seed", range(3))
def test_after_any_write_the_sums_are_those_of_the_rows(sql: connection, seed: int) -> None:
    draw = random.Random(seed)
    for step in range(12):
        insert(sql, draw, [f"{step} {number}" for number in range(draw.randrange(1, 40))])
        rescore(sql, draw)
        run(sql, draw.choice(CHANGES))
        if draw.random() < 0.4:
            run(sql, "SELECT compact_rollups(%s)", (draw.choice((0, 5)),))
        assert_rollups_match(sql)


def test_compacting_sums_the_deltas_and_leaves_no_row_of_zeros(sql: connection) -> None:
    insert(sql, random.Random(1), [str(number) for number in range(50)])
    rescore(sql, random.Random(1))
    run(sql, "DELETE FROM accounts WHERE segment = 'SMB'")
    run(sql, "SELECT compact_rollups(0)")
    for table, keys in KEYS.items():
        assert run(sql, f"SELECT count(*) FROM {table} WHERE is_delta") == [(0,)]
        assert run(sql, f"SELECT count(*) FROM {table} WHERE accounts = 0") == [(0,)]
        found = [row[:keys] for row in run(sql, f"SELECT {NAMES[table]} FROM {table}")]
        assert len(found) == len(set(found)) > 0
    assert_rollups_match(sql)


def test_emptied_tables_have_no_sums(sql: connection) -> None:
    insert(sql, random.Random(2), ["a", "b"])
    run(sql, "TRUNCATE accounts CASCADE")
    assert_rollups_match(sql)
    assert run(sql, "SELECT count(*) FROM portfolio_cells") == [(0,)]


def test_concurrent_writers_leave_the_right_sums(
    url: str, sql: connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writers that patch, add, score and compact at the same time."""
    monkeypatch.setattr(rollups, "MAX_DELTAS", 3)
    Database(url).write(
        lambda statements: samples.add(statements, count=30, seed=1, replace=False, today=TODAY)
    )
    ids = [account_id for (account_id,) in run(sql, "SELECT id FROM accounts")]
    done: list[str] = []

    def step(statements: Statements, draw: random.Random, seed: int) -> None:
        columns = {
            "active_users": draw.randrange(100),
            "cs_owner": draw.choice(OWNERS),
            "region": draw.choice(REGIONS),
            "arr": seed,
        }
        match draw.randrange(4):
            case 0 | 1:
                change(statements, draw.choice(ids), columns, TODAY, allowed=lambda present: None)
            case 2:
                samples.add(statements, count=3, seed=seed, replace=False, today=TODAY)
            case _:
                recompute(
                    statements, after=0, limit=1000, today=TODAY + timedelta(draw.randrange(3))
                )
        rollups.compact(statements)

    def work(seed: int) -> None:
        database = Database(url)
        for number in range(15):
            database.write(
                partial(step, draw=random.Random(seed * 100 + number), seed=seed * 100 + number)
            )
        database.close()
        done.append("done")

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == ["done"] * 4
    assert_rollups_match(sql)
    assert run(
        sql, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    ) == [(0,)]
