"""Which accounts stand on a page: the exact total first, then the ids, by the shortest way to them.

Where a part of the list is read from its end, or from a place that a rollup knows, no more than that part is looked through.
"""

from typing import Any, Final, Literal, NamedTuple, get_args

from service.queries.filters import Filter, where
from service.scoring.rules import SCORE_MAX

Sort = Literal[
    "name",
    "-name",
    "arr",
    "-arr",
    "health_score",
    "-health_score",
    "renewal_date",
    "-renewal_date",
    "updated_at",
    "-updated_at",
]
SORTS: Final[tuple[Sort, ...]] = get_args(Sort)
DEFAULT_SORT: Final = "name"

_COLUMNS: Final = {
    "name": "a.name",
    "arr": "a.arr",
    "health_score": "h.score",
    "renewal_date": "a.renewal_date",
    "updated_at": "a.updated_at",
}
_PLACES: Final = {
    "h.score": ("score_bins", "eighth"),
    "a.renewal_date": ("renewal_days", "renewal_date"),
}
"""Rollup and key that tell how many accounts come before a value of the column."""

BINS_A_POINT: Final = 8
"""Of `score_bins`; a power of two, so that a bin's ends are exact."""
DEEP: Final = 500
"""Rows to skip from which on it pays to look up where to start."""
FEW: Final = 1000
"""Matches of a text up to which all are fetched and sorted; above, sorted rows are looked through until the page is full."""
_FEW_NAMES: Final = (
    "(SELECT * FROM account_search_names WHERE name_lower LIKE lower(%(pattern)s) OFFSET 0)"
)
"""Read as a whole, and first: where the matches stand in the sorted list is not known."""
TIES: Final = 64
"""Equal values in front of a deep page up to which their number costs nothing."""

Statement = tuple[str, dict[str, Any]]


class Counted(NamedTuple):
    """`known`: how many of the `total` accounts have a value in the sort column; None where that would be dear to count.
    `place`: a key of a rollup at or before the row that is asked for, `before` the rows in front of it."""

    total: int
    known: int | None
    place: Any = None
    before: int | None = None


class Order(NamedTuple):
    column: str
    descending: bool

    @classmethod
    def of(cls, sort: Sort) -> "Order":
        return cls(_COLUMNS[sort.removeprefix("-")], sort.startswith("-"))

    @property
    def nullable(self) -> bool:
        return self.column in _PLACES

    @property
    def by_score(self) -> bool:
        return self.column == "h.score"

    @property
    def id(self) -> str:
        return "h.account_id" if self.by_score else "a.id"

    def sql(self) -> str:
        """Unknown values come last in either direction, equal ones by id."""
        return (
            f"ORDER BY {self.column} {'DESC' if self.descending else 'ASC'} NULLS LAST, {self.id}"
        )


def total(wanted: Filter, order: Order, skip: int) -> Statement:
    """SQL of one row: a `Counted`."""
    table = _rollup(wanted)
    statement, values = _counted(wanted, order) if table is None else _summed(wanted, order, table)
    if skip < DEEP or order.column not in _PLACES or not wanted.lets_all_through:
        return statement, values
    rollup, key = _PLACES[order.column]
    direction = "DESC" if order.descending else "ASC"
    return (
        f"WITH places AS (SELECT {key} AS place, sum(sum(accounts)) OVER (ORDER BY {key} {direction}) - sum(accounts) AS before"
        f" FROM {rollup} GROUP BY {key}) SELECT counted.*, nearest.* FROM ({statement}) counted LEFT JOIN LATERAL ("
        "SELECT place, before::bigint FROM places WHERE before <= %(skip)s ORDER BY before DESC LIMIT 1) nearest ON true"
    ), {**values, "skip": skip}


def ids(wanted: Filter, order: Order, counted: Counted, skip: int, size: int) -> Statement | None:
    """SQL of the ids (`id`) on the page, in any order; None for a page beyond the end."""
    if skip >= counted.total:
        return None
    few = counted.total <= FEW
    if counted.known is None:
        all_rows, values = _rows(wanted, order, few=few)
        return (
            all_rows.all_sorted(skip, size) if few else all_rows.known_then_unknown(skip, size)
        ), values
    parts: list[str] = []
    values: dict[str, Any] = {}
    if skip < counted.known:
        rows, values = _rows(wanted, order, few=few, unscored=False if order.by_score else None)
        parts.append(rows.known(counted, counted.known, skip, min(size, counted.known - skip)))
    if counted.known < counted.total and skip + size > counted.known:
        rows, values = _rows(wanted, order, few=few, unscored=True if order.by_score else None)
        begin, end = max(skip, counted.known), min(skip + size, counted.total)
        parts.append(
            rows.unknown(counted.total - counted.known, begin - counted.known, end - begin)
        )
    return " UNION ALL ".join(f"({part})" for part in parts), values


def _rows(
    wanted: Filter, order: Order, *, few: bool, unscored: bool | None = None
) -> "tuple[_Rows, dict[str, Any]]":
    """`few`: so few match a text that all of them are fetched. By name a text is looked for in the names themselves, which are at hand."""
    by_name = order.column == "a.name" and not few
    name = 'lower(a.name) COLLATE "C"' if by_name else "n.name_lower"
    conditions, values = wanted.of_accounts(
        "h" if order.by_score else "a", name=name, unscored=unscored
    )
    tables = "account_health h" if order.by_score else "accounts a"
    if wanted.needs_health and not order.by_score:
        tables += " JOIN account_health h ON h.account_id = a.id"
    if wanted.name_contains is not None and not by_name:
        tables += (
            f" JOIN {_FEW_NAMES if few else 'account_search_names'} n ON n.account_id = {order.id}"
        )
    return _Rows(tables, conditions, order), values


def _rollup(wanted: Filter) -> str | None:
    """The one that has sums by all that is asked for."""
    if (
        wanted.name_contains is not None
        or wanted.min_score is not None
        or wanted.max_score is not None
    ):
        return None
    if wanted.renewal_within_days is not None:
        return (
            None
            if wanted.segments or wanted.regions or wanted.owners or wanted.industries
            else "renewal_days"
        )
    if wanted.owners:
        return None if wanted.industries else "owner_cells"
    return "portfolio_cells"


def _summed(wanted: Filter, order: Order, rollup: str) -> Statement:
    known = "accounts"
    if order.by_score:
        known = "CASE WHEN r.bucket IS NULL THEN 0 ELSE accounts END"
    elif order.nullable and rollup != "renewal_days":
        known = "with_renewal"
    conditions, values = wanted.of_rollup()
    return (
        f"SELECT coalesce(sum(accounts), 0)::bigint, coalesce(sum({known}), 0)::bigint FROM {rollup} r {where(conditions)}",
        values,
    )


def _counted(wanted: Filter, order: Order) -> Statement:
    conditions, values = wanted.of_accounts("h")
    tables = "account_health h"
    if wanted.name_contains is not None:
        tables = (
            "account_search_names n"
            if len(conditions) == 1
            else "account_search_names n JOIN account_health h USING (account_id)"
        )
    return (
        f"SELECT count(*), {'NULL' if order.nullable else 'count(*)'} FROM {tables} {where(conditions)}",
        values,
    )


class _Rows(NamedTuple):
    """The matching rows, and ways to read a part of them."""

    tables: str
    conditions: list[str]
    order: Order

    def all_sorted(self, skip: int, size: int) -> str:
        return f"{self._select()} {self.order.sql()} LIMIT {size} OFFSET {skip}"

    def known_then_unknown(self, skip: int, size: int) -> str:
        known, unknown = self.known(None, None, 0, skip + size), self.unknown(None, 0, skip + size)
        return f"SELECT id FROM (({known}) UNION ALL ({unknown})) both_parts LIMIT {size} OFFSET {skip}"  # appended in this order

    def known(self, counted: Counted | None, count: int | None, skip: int, limit: int) -> str:
        """`limit` rows after `skip` of the `count` that have a value in the sort column."""
        descending, from_end, more = (
            self.order.descending,
            False,
            [f"{self.order.column} IS NOT NULL"] if self.order.nullable else [],
        )
        if counted is not None and counted.before is not None:
            more, skip = [self._from(counted.place)], skip - counted.before
        elif count is not None and skip > count / 2:
            descending, from_end, skip = not descending, True, count - skip - limit
        elif self.order.by_score and descending and skip < DEEP:
            return self._best_first(more, skip, limit)
        if self.order.column == "a.name":
            return f"{self._select(more)} ORDER BY a.name {_direction(descending)} LIMIT {limit} OFFSET {skip}"
        if descending != from_end and skip >= DEEP:
            return self._after_ties(more, skip, limit, descending=descending)
        keys = (
            f"{self.order.column} {_direction(descending)}, {self.order.id} {_direction(from_end)}"
        )
        return f"{self._select(more)} ORDER BY {keys} LIMIT {limit} OFFSET {skip}"

    def unknown(self, count: int | None, skip: int, limit: int) -> str:
        if not self.order.nullable:
            return f"{self._select(['false'])}"
        from_end = count is not None and skip > count / 2
        skip = count - skip - limit if from_end and count is not None else skip
        more = [f"{self.order.column} IS NULL"]
        return f"{self._select(more)} ORDER BY {self.order.id} {_direction(from_end)} LIMIT {limit} OFFSET {skip}"

    def _best_first(self, more: list[str], skip: int, limit: int) -> str:
        """Many accounts may have the best score there is: those come by id, without sorting all of them."""
        column, enough = self.order.column, f"LIMIT {skip + limit}"
        best = (
            f"{self._select([*more, f'{column} = {SCORE_MAX}'])} ORDER BY {self.order.id} {enough}"
        )
        rest = f"{self._select([*more, f'{column} < {SCORE_MAX}'])} ORDER BY {column} DESC, {self.order.id} {enough}"
        return f"SELECT id FROM (({best}) UNION ALL ({rest})) scored LIMIT {limit} OFFSET {skip}"  # appended in this order

    def _after_ties(self, more: list[str], skip: int, limit: int, *, descending: bool) -> str:
        """Where ids go against the direction of the values, no index has the order. So the rows that are passed are read by value alone,
        and only from the value on that the page begins with equal ones are sorted by id."""
        column, direction = self.order.column, _direction(descending)
        further, at_or_after = (">", "<=") if descending else ("<", ">=")
        farthest = "min" if descending else "max"
        passed = f"{self._select(more, column)} ORDER BY {column} {direction} LIMIT {TIES + 1} OFFSET {max(0, skip - TIES)}"
        before = self._select(
            [*more, f"{column} {further} (SELECT value FROM reached)"], "count(*)"
        )
        page = self._select([*more, f"{column} {at_or_after} (SELECT value FROM reached)"])
        return (
            f"WITH passed (value) AS MATERIALIZED ({passed}), reached AS (SELECT {farthest}(value) AS value FROM passed),"
            " ties AS (SELECT count(*) AS count FROM passed JOIN reached USING (value))"
            f" {page} ORDER BY {column} {direction}, {self.order.id} {_direction(not descending)} LIMIT {limit}"
            f" OFFSET (SELECT CASE WHEN count <= {TIES} THEN count - 1 ELSE {skip} - ({before}) END FROM ties)"
        )

    def _from(self, place: Any) -> str:
        """`place` comes from a rollup, not from a client."""
        if self.order.by_score:
            return (
                f"h.score < {(place + 1) / BINS_A_POINT}"
                if self.order.descending
                else f"h.score >= {place / BINS_A_POINT}"
            )
        return (
            f"{self.order.column} {'<=' if self.order.descending else '>='} DATE '{place:%Y-%m-%d}'"
        )

    def _select(self, more: list[str] | None = None, what: str = "") -> str:
        return f"SELECT {what or f'{self.order.id} AS id'} FROM {self.tables} {where([*self.conditions, *(more or [])])}"


def _direction(descending: bool) -> str:
    return "DESC" if descending else "ASC"
