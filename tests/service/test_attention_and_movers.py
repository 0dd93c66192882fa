"""Attention, movers and renewals, against the same counted one by one."""

import importlib
import random
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, time, timedelta
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection

from service.playbooks import best
from service.queries import movers as movers_query
from service.schema.responses.portfolio import Attention, Movers, Renewals
from service.scoring.score import bucket_of, rounded_score
from tests.service.lambda_api import Api, api

TODAY = datetime.now(UTC).date()
COUNT = 150
MIGRATION = importlib.import_module("service.migrations.versions.0006_upkeep")
"""Fills what the service writes with each snapshot."""
BUCKETS = ("Green", "Amber", "Red", "Unscored")


@pytest.fixture(scope="module")
def filled(module_url: str) -> Iterator[Api]:
    """Accounts of random scores, dollars and renewals, with snapshots of the last hundred days."""
    draw = random.Random(5)
    with closing(psycopg2.connect(module_url)) as opened, opened.cursor() as cursor:
        for number in range(1, COUNT + 1):
            score = draw.choice((None, 30.0, draw.random() * 100, draw.random() * 100))
            renewal = draw.choice(
                (None, *(TODAY + timedelta(draw.randrange(-40, 400)) for _ in range(4)))
            )
            cursor.execute(
                "INSERT INTO accounts (id, name, arr, segment, cs_owner, renewal_date)"
                " VALUES (%s, %s, %s, 'SMB', 'Ada', %s)",
                (number, f"a{number}", draw.choice((0, 1000, 0.5, draw.randrange(10**6))), renewal),
            )
            cursor.execute(
                "UPDATE account_health SET score = %s, bucket = %s WHERE account_id = %s",
                (score, None if score is None else bucket_of(score), number),
            )
            for _ in range(draw.randrange(6)):
                past = draw.choice((None, 30.0, draw.random() * 100))
                cursor.execute(
                    "INSERT INTO health_snapshots (account_id, calculated_at, score, risk_label,"
                    " coverage, component_values,"
                    " component_points, adjustments) VALUES (%s, %s, %s, %s, 0.5, '{}', '{}',"
                    " '{}')",
                    (
                        number,
                        datetime.now(UTC) - timedelta(seconds=draw.randrange(100 * 86400)),
                        past,
                        None if past is None else bucket_of(past),
                    ),
                )
        for statement in MIGRATION.FILL:
            cursor.execute(statement.format(after=0, until=COUNT))
        opened.commit()
    function = api(module_url)
    yield function
    function.close()


@pytest.fixture(scope="module")
def rows(filled: Api, module_url: str) -> list[dict[str, Any]]:
    with closing(psycopg2.connect(module_url)) as opened, opened.cursor() as cursor:
        cursor.execute(
            "SELECT a.id, a.arr, a.renewal_date, h.score, h.bucket FROM accounts a"
            " JOIN account_health h ON h.account_id = a.id"
        )
        return [
            dict(zip(("id", "arr", "renewal_date", "score", "bucket"), row, strict=True))
            for row in cursor.fetchall()
        ]


def priority(row: dict[str, Any], days: int) -> float:
    left = row["renewal_date"] and (row["renewal_date"] - TODAY).days
    pressing = (days - left) / days if left is not None and 0 <= left <= days else 0
    return float(row["arr"]) * (100 - row["score"]) / 100 * (1 + pressing)


@pytest.mark.parametrize(("limit", "days"), [(1, 180), (20, 180), (50, 1), (50, 365), (7, 60)])
def test_attention_goes_to_the_highest_priorities(
    filled: Api, rows: list[dict[str, Any]], limit: int, days: int
) -> None:
    response = filled.get("/portfolio/attention", limit=limit, days=days)
    Attention.model_validate_json(response.text, strict=True, extra="forbid")
    asking = [row for row in rows if row["bucket"] in {"Amber", "Red"}]
    asking.sort(key=lambda row: (-priority(row, days), row["id"]))
    found = response.json["accounts"]
    assert [account["id"] for account in found] == [row["id"] for row in asking[:limit]]
    for account, row in zip(found, asking, strict=False):
        assert account["priority"] == pytest.approx(priority(row, days), abs=0.006)
        assert account["days_to_renewal"] == (
            row["renewal_date"] and (row["renewal_date"] - TODAY).days
        )
        assert account["health_score"] == rounded_score(row["score"])


def test_fewer_accounts_than_asked_for_are_all_there_is(service: Api, sql: connection) -> None:
    assert service.get("/portfolio/attention").json["accounts"] == []
    with sql.cursor() as cursor:
        cursor.execute(
            "INSERT INTO accounts (name, arr, segment) VALUES ('a', 0, 'SMB'), ('b', 5, 'SMB')"
        )
        cursor.execute("UPDATE account_health SET score = 10, bucket = 'Red'")
    found = service.get("/portfolio/attention", limit=50).json["accounts"]
    assert [(account["name"], account["priority"]) for account in found] == [("b", 4.5), ("a", 0)]


def test_reasons_are_the_factors_that_pull_down_and_lead_to_a_playbook(sampled: Api) -> None:
    for listed in sampled.get("/portfolio/attention", limit=50).json["accounts"]:
        account = sampled.get(f"/accounts/{listed['id']}").json
        reasons = [
            factor["code"] for factor in account["latest_health_factors"] if factor["impact"] < 0
        ]
        assert (listed["reasons"], listed["playbook_id"]) == (
            reasons,
            best(reasons, account["health_coverage"]),
        )


def in_force(module_url: str, days: int) -> dict[int, tuple[float, datetime]]:
    """The score of each account at the beginning of the window, or its first one after that."""
    since = datetime.combine(TODAY - timedelta(days), time(), UTC)
    found: dict[int, tuple[float | None, datetime]] = {}
    with closing(psycopg2.connect(module_url)) as opened, opened.cursor() as cursor:
        cursor.execute(
            "SELECT account_id, score, calculated_at FROM health_snapshots ORDER BY calculated_at"
        )
        for account, score, taken in cursor.fetchall():
            if taken <= since or found.get(account, (None, since))[0] is None:
                found[account] = score, taken
    return {account: (score, at) for account, (score, at) in found.items() if score is not None}


@pytest.mark.parametrize(("days", "limit"), [(30, 10), (1, 50), (365, 50), (60, 3)])
def test_movers_are_those_whose_score_changed_the_most(
    filled: Api, rows: list[dict[str, Any]], module_url: str, days: int, limit: int
) -> None:
    response = filled.get("/portfolio/movers", days=days, limit=limit)
    Movers.model_validate_json(response.text, strict=True, extra="forbid")
    before = in_force(module_url, days)
    moves = [
        (row["score"] - before[row["id"]][0], row["id"])
        for row in rows
        if row["score"] is not None and row["id"] in before
    ]
    down = sorted(move for move in moves if move[0] < 0)[:limit]
    up = sorted((move for move in moves if move[0] > 0), key=lambda move: (-move[0], move[1]))[
        :limit
    ]
    for direction, expected in (("down", down), ("up", up)):
        found = response.json[direction]
        assert [one["id"] for one in found] == [account for _, account in expected]
        for one, (change, account) in zip(found, expected, strict=True):
            assert one["change"] == pytest.approx(change, abs=0.051)
            assert (one["from"], one["since"][:19]) == (
                rounded_score(before[account][0]),
                before[account][1].isoformat()[:19],
            )


def test_movers_are_computed_again_only_when_the_data_changed(
    service: Api, sql: connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.post("/ingest/generate-mock", count=10, seed=1)
    first = service.get("/portfolio/movers").text
    monkeypatch.setattr(movers_query, "_COMPUTE", "SELECT 1 / 0")
    assert service.get("/portfolio/movers").text == first
    assert service.get("/portfolio/movers", limit=1).status == 200
    with sql.cursor() as cursor:
        cursor.execute(
            "UPDATE account_health SET score = 1, bucket = 'Red' WHERE account_id ="
            " (SELECT min(account_id) FROM account_health)"
        )
    assert service.get("/portfolio/movers").status == 500
    monkeypatch.undo()
    changed = service.get("/portfolio/movers").json
    assert changed["down"][0]["to"] == 1
    with sql.cursor() as cursor:
        cursor.execute("SELECT compact_rollups(0)")
        cursor.execute(
            "UPDATE accounts SET name = 'Renamed' WHERE id = %s", (changed["down"][0]["id"],)
        )
    assert service.get("/portfolio/movers").json["down"][0]["name"] == "Renamed"


def test_without_a_move_both_lists_are_empty(service: Api) -> None:
    nothing = {"down": [], "up": [], "scores_as_of": TODAY.isoformat()}
    assert [service.get("/portfolio/movers").json for _ in range(2)] == [nothing, nothing]


@pytest.mark.parametrize("days", [1, 180, 730])
def test_renewals_are_counted_by_month_and_bucket(
    filled: Api, rows: list[dict[str, Any]], days: int
) -> None:
    response = filled.get("/portfolio/renewals", days=days)
    Renewals.model_validate_json(response.text, strict=True, extra="forbid")
    expected: dict[str, dict[str, list[float]]] = defaultdict(
        lambda: {name: [] for name in BUCKETS}
    )
    for row in rows:
        if row["renewal_date"] and TODAY <= row["renewal_date"] <= TODAY + timedelta(days):
            expected[f"{row['renewal_date']:%Y-%m}"][row["bucket"] or "Unscored"].append(
                float(row["arr"])
            )
    found = response.json
    assert [month["month"] for month in found["months"]] == sorted(expected)
    for month in found["months"]:
        for name, arrs in expected[month["month"]].items():
            assert month["by_bucket"][name] == {
                "accounts": len(arrs),
                "arr": pytest.approx(sum(arrs)),
            }
        every = [arr for arrs in expected[month["month"]].values() for arr in arrs]
        assert (month["accounts"], month["arr"]) == (len(every), pytest.approx(sum(every)))
    assert found["total_accounts"] == sum(month["accounts"] for month in found["months"])
    assert found["total_arr"] == pytest.approx(sum(month["arr"] for month in found["months"]))


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("attention", {"limit": 51}),
        ("attention", {"days": 366}),
        ("movers", {"days": 0}),
        ("movers", {"limit": 0}),
        ("renewals", {"days": 731}),
        ("renewals", {"day": 7}),
    ],
)
def test_what_is_out_of_bounds_is_refused(sampled: Api, path: str, query: dict[str, Any]) -> None:
    assert sampled.get(f"/portfolio/{path}", **query).status == 422
