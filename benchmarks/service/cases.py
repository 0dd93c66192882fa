"""The reads that are measured, with their limits: medians in ms, on one core."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from benchmarks.service import data
from service.queries.pagination import SORTS

SMALL, LARGE = 10_000, 1_000_000
"""Sizes that have limits. A size between the two has the limits of the large one."""
LIST_STATEMENTS = 2
DEEP_TIMES = 5.0
"""Limit of a deep page, as a multiple of the first page."""
DEEP_MS = 75.0
"""Limit in ms of deep pages whose sort has no rollup to seek in, at the large size."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One request.

    `limits` are ms by number of accounts; `first` names the case with the first page, for a
    deep page.
    """

    group: str
    name: str
    path: str
    query: str = ""
    limits: Mapping[int, float] = field(default_factory=dict[int, float])
    statements: int | None = None
    first: str | None = None

    def limit(self, accounts: int, first_ms: float | None = None) -> float | None:
        absolute = next(
            (limit for size, limit in sorted(self.limits.items()) if accounts <= size), None
        )
        return absolute if first_ms is None or absolute is not None else DEEP_TIMES * first_ms


def read_cases(accounts: int) -> list[Case]:
    return [*_lists(), *_texts(), *_deep(accounts), *_portfolio(), *_account(accounts)]


def _list(group: str, name: str, limits: Mapping[int, float], **query: object) -> Case:
    asked = {"page_size": 20, **query}
    return Case(
        group=group,
        name=name,
        path="/accounts",
        query=urlencode(asked),
        limits=limits,
        statements=LIST_STATEMENTS,
    )


def _lists() -> Iterator[Case]:
    twenty, hundred = {SMALL: 3.0, LARGE: 4.0}, {SMALL: 4.0, LARGE: 6.0}
    for sort in SORTS:
        yield _list("lists", f"20 by {sort}", twenty, sort=sort)
    combined = {"bucket": "Red", "segment": "SMB", "region": "EMEA", "owner": data.owner(7)}
    filters = {
        **{name: {name: value} for name, value in combined.items()},
        "all four": combined,
        "unscored": {"bucket": "Unscored"},
    }
    for name, chosen in filters.items():
        for sort in ("name", "-arr", "-health_score", "renewal_date", "-updated_at"):
            yield _list("lists", f"20 {name} by {sort}", twenty, sort=sort, **chosen)
    for sort in ("name", "-arr", "-health_score"):
        yield _list("lists", f"100 by {sort}", hundred, sort=sort, page_size=100)
    yield _list(
        "lists",
        "100 bucket by -health_score",
        hundred,
        sort="-health_score",
        page_size=100,
        bucket="Red",
    )


def _texts() -> Iterator[Case]:
    terms = {
        "rare": data.RARE[:3].lower(),
        "5 %": data.FIVE_PER_CENT.lower(),
        "late 5 %": data.LATE_FIVE_PER_CENT.lower(),
        "20 %": data.TWENTY_PER_CENT.lower(),
    }
    for name, term in terms.items():
        for sort in ("name", "-arr", "health_score"):
            yield _list(
                "text",
                f"20 with a {name} term by {sort}",
                {SMALL: 6.0, LARGE: 60.0},
                sort=sort,
                q=term,
            )


def _deep(accounts: int) -> Iterator[Case]:
    pages = accounts // 20
    for sort in SORTS:
        first = _list("deep", f"first page by {sort}", {}, sort=sort)
        yield first
        for position, page in {
            "middle": pages // 2,
            "three quarters": pages * 3 // 4,
            "last": pages,
        }.items():
            long_way = (
                accounts > SMALL
                and position != "last"
                and sort.removeprefix("-") not in ("health_score", "renewal_date")
            )
            query = urlencode({"page_size": 20, "sort": sort, "page": page})
            limits = {LARGE: DEEP_MS} if long_way else {}
            yield Case(
                group="deep",
                name=f"{position} page by {sort}",
                path="/accounts",
                query=query,
                limits=limits,
                statements=2,
                first=first.name,
            )


def _portfolio() -> Iterator[Case]:
    for name, path, query, small, large in (
        ("portfolio metrics", "metrics", "", 3, 4),
        ("renewals of 180 days", "renewals", "days=180", 2, 3),
        ("attention, 20 of 180 days", "attention", "limit=20&days=180", 6, 10),
        ("movers of 30 days, computed already", "movers", "days=30", 10, 25),
    ):
        yield Case(
            group="portfolio",
            name=name,
            path=f"/portfolio/{path}",
            query=query,
            limits={SMALL: small, LARGE: large},
        )


def _account(accounts: int) -> Iterator[Case]:
    one, limits = f"/accounts/{accounts * 2 // 3}", {LARGE: 2.0}
    yield Case(group="account", name="one account", path=one, limits=limits)
    yield Case(group="account", name="health-history", path=f"{one}/health-history", limits=limits)
    yield Case(
        group="account", name="metrics-history", path=f"{one}/metrics-history", limits=limits
    )
