"""Every query for a page gives the rows that sorting all of them would give."""

import itertools
import json
import random
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import psycopg2
import pytest

from service.database.connection import Database
from service.queries import accounts, pagination
from service.queries.filters import Filter
from service.queries.pagination import SORTS, Order, Sort
from service.scoring.score import bucket_of

TODAY = datetime.now(UTC).date()
COUNT = 240
SIZE = 7

SEGMENTS, REGIONS, OWNERS, INDUSTRIES = (
    ("SMB", "Mid-Market", "Enterprise"),
    ("EMEA", "APAC", None),
    ("Ada", "Bo", None),
    ("Energy", None),
)


class Row(NamedTuple):
    id: int
    name: str
    arr: int
    segment: str
    region: str | None
    cs_owner: str | None
    industry: str | None
    renewal_date: date | None
    updated_at: datetime
    health_score: float | None

    @property
    def bucket(self) -> str:
        return "Unscored" if self.health_score is None else bucket_of(self.health_score)


class Listed(NamedTuple):
    database: Database
    rows: list[Row]


@pytest.fixture(scope="module")
def listed(module_url: str) -> Iterator[Listed]:
    """Accounts with many equal values, and many unknown ones."""
    draw = random.Random(7)
    rows = [
        Row(
            id=number,
            name=f"{draw.choice(('Alder', 'birch', 'CEDAR', 'Čedar'))} {number * 7 % COUNT:03}",
            arr=draw.randrange(5) * 100,
            segment=draw.choice(SEGMENTS),
            region=draw.choice(REGIONS),
            cs_owner=draw.choice(OWNERS),
            industry=draw.choice(INDUSTRIES),
            renewal_date=draw.choice((None, *(TODAY + timedelta(days) for days in range(-2, 6)))),
            updated_at=datetime(2026, 1, draw.randrange(1, 5), tzinfo=UTC),
            health_score=draw.choice(
                (None, 0.0, 49.875, 50.0, 75.0, 100.0, draw.random() * 100, draw.random() * 100)
            ),
        )
        for number in range(1, COUNT + 1)
    ]
    with closing(psycopg2.connect(module_url)) as opened, opened.cursor() as cursor:
        for row in rows:
            cursor.execute(
                "INSERT INTO accounts (id, name, arr, segment, region, cs_owner, industry,"
                " renewal_date, updated_at)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
                row[:-1],
            )
            bucket = None if row.health_score is None else row.bucket
            cursor.execute(
                "UPDATE account_health SET score = %s, bucket = %s WHERE account_id = %s",
                (row.health_score, bucket, row.id),
            )
        cursor.execute("SELECT compact_rollups(50)")
        opened.commit()
    database = Database(module_url)
    yield Listed(database, rows)
    database.close()


@pytest.fixture(params=["shallow", "deep"])
def depth(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deep: the queries for large lists are used for this small one."""
    if request.param == "deep":
        monkeypatch.setattr(pagination, "DEEP", 3)
        monkeypatch.setattr(pagination, "FEW", 2)
        monkeypatch.setattr(pagination, "TIES", 4)


def ordered(rows: list[Row], sort: Sort) -> list[Row]:
    column = sort.removeprefix("-")
    known = [row for row in rows if getattr(row, column) is not None]
    known.sort(key=lambda row: row.id)
    known.sort(key=lambda row: getattr(row, column), reverse=sort.startswith("-"))
    return [
        *known,
        *sorted((row for row in rows if getattr(row, column) is None), key=lambda row: row.id),
    ]


Case = tuple[dict[str, Any], Callable[[Row], bool]]

CASES: dict[str, Case] = {
    "all": (
        {"segments": [], "buckets": [], "regions": [], "owners": [], "industries": []},
        lambda row: True,
    ),
    "red": ({"buckets": ["Red"]}, lambda row: row.bucket == "Red"),
    "neighbouring buckets": (
        {"buckets": ["Amber", "Green"]},
        lambda row: row.bucket in {"Amber", "Green"},
    ),
    "buckets apart": ({"buckets": ["Red", "Green"]}, lambda row: row.bucket in {"Red", "Green"}),
    "unscored": ({"buckets": ["Unscored"]}, lambda row: row.bucket == "Unscored"),
    "amber or unscored": (
        {"buckets": ["Unscored", "Amber"]},
        lambda row: row.bucket in {"Unscored", "Amber"},
    ),
    "segments": (
        {"segments": ["SMB", "Enterprise"]},
        lambda row: row.segment in {"SMB", "Enterprise"},
    ),
    "region": ({"regions": ["EMEA"]}, lambda row: row.region == "EMEA"),
    "owner": ({"owners": ["Ada"]}, lambda row: row.cs_owner == "Ada"),
    "owner, bucket, segment, region": (
        {
            "owners": ["Ada"],
            "buckets": ["Red", "Amber"],
            "segments": ["SMB"],
            "regions": ["EMEA", "APAC"],
        },
        lambda row: (
            row.cs_owner == "Ada"
            and row.bucket in {"Red", "Amber"}
            and row.segment == "SMB"
            and row.region in {"EMEA", "APAC"}
        ),
    ),
    "industry and owner": (
        {"industries": ["Energy"], "owners": ["Bo"]},
        lambda row: row.industry == "Energy" and row.cs_owner == "Bo",
    ),
    "text": ({"name_contains": "CEDAR"}, lambda row: "cedar" in row.name.lower()),
    "text, bucket": (
        {"name_contains": "ir", "buckets": ["Red"]},
        lambda row: "ir" in row.name.lower() and row.bucket == "Red",
    ),
    "renewal": (
        {"renewal_within_days": 3},
        lambda row: (
            row.renewal_date is not None and TODAY <= row.renewal_date <= TODAY + timedelta(3)
        ),
    ),
    "renewal, bucket": (
        {"renewal_within_days": 3, "buckets": ["Green"]},
        lambda row: (
            row.renewal_date is not None
            and TODAY <= row.renewal_date <= TODAY + timedelta(3)
            and row.bucket == "Green"
        ),
    ),
    "scores": (
        {"min_score": 20, "max_score": 80},
        lambda row: row.health_score is not None and 20 <= row.health_score <= 80,
    ),
    "nothing": ({"regions": ["nowhere"]}, lambda row: False),
}


@pytest.mark.usefixtures("depth")
@pytest.mark.parametrize("name", CASES)
def test_every_page_in_every_order_is_the_one_of_a_full_sort(listed: Listed, name: str) -> None:
    conditions, lets_through = CASES[name]
    matching = [row for row in listed.rows if lets_through(row)]
    for sort in SORTS:
        expected = [row.id for row in ordered(matching, sort)]
        numbers = range(1, len(expected) // SIZE + 3)
        for number in (
            numbers if name == "all" else {1, max(numbers) // 2, max(numbers) - 1, max(numbers)}
        ):
            found = accounts.page(
                listed.database,
                Filter(today=TODAY, **conditions),
                sort=sort,
                number=number,
                size=SIZE,
            )
            ids = [account["id"] for account in json.loads(found.accounts)]
            assert (found.total, ids) == (
                len(expected),
                expected[(number - 1) * SIZE : number * SIZE],
            ), (sort, number)


def test_a_list_reads_tables_in_at_most_two_statements(
    listed: Listed, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    database, snapshot = listed.database, listed.database.snapshot

    def counted(work: Any) -> Any:
        asked.append(0)

        def watched(read: Any) -> Any:
            def one(statement: str, parameters: Any) -> Any:
                asked[-1] += 1
                return read(statement, parameters)

            return work(one)

        return snapshot(watched)

    monkeypatch.setattr(database, "snapshot", counted)
    for (conditions, _), sort in itertools.product(CASES.values(), SORTS):
        accounts.page(database, Filter(today=TODAY, **conditions), sort=sort, number=2, size=SIZE)
    assert set(asked) <= {1, 2}


def test_a_deep_page_of_all_accounts_starts_at_a_key_of_a_rollup(
    listed: Listed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pagination, "DEEP", 3)
    everything = Filter(today=TODAY, segments=[], buckets=[], regions=[], owners=[], industries=[])
    for sort in ("health_score", "-health_score", "renewal_date", "-renewal_date"):
        statement, values = pagination.count_statement(everything, Order.of(sort), 100)
        ((_, _, seek_key, rows_before),) = listed.database.read(statement, values)
        assert seek_key is not None
        assert 0 < rows_before <= 100, sort
    assert "seek_keys" not in pagination.count_statement(everything, Order.of("name"), 100)[0]
    assert (
        "seek_keys"
        not in pagination.count_statement(
            Filter(today=TODAY, buckets=["Red"]), Order.of("health_score"), 100
        )[0]
    )
