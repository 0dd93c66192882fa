"""Finds the ids on a page of accounts, by the shortest way to them.

A list takes two statements. The first counts the matching accounts exactly, from a rollup where one
has the sums; the second selects the ids on the page. A page far into a list (a large OFFSET) would
read and drop all rows before it, so the second reads as few of them as it can:

- With a known number of rows, what lies in the second half is read backwards from the end.
- In the list of all accounts by score or renewal date, a rollup says how many rows come before a
  value (`rows_before`); reading starts at that value (`seek_key`).
- Few matches of a text are fetched and sorted; of many, the sorted rows are scanned until the page
  is full.

Sorting is by a column and then by id, and accounts without a value come last in either direction.
Each list therefore has two parts, which are read separately: the rows with a value, in the order of
an index, and the rows without one, by id.
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
ROLLUP_BY_COLUMN: Final = {
    "h.score": ("score_bins", "eighth"),
    "a.renewal_date": ("renewal_days", "renewal_date"),
}
"""The rollup that counts accounts by a sort column, and its key. Exactly the columns that may be
null are here."""

BINS_A_POINT: Final = 8
"""Of `score_bins`; a power of two, so that the bounds of a bin are exact floating-point numbers."""
DEEP: Final = 500
"""Rows before the page from which on reading is worth a lookup of where to start."""
FEW: Final = 1000
"""Matches of a text up to which all are fetched and sorted."""
TIES: Final = 64
"""Rows of equal value before a deep page that are counted without a query of their own."""

# OFFSET 0 keeps PostgreSQL from merging this with the query around it. It would often scan the
# sorted accounts for matches then, because it does not know that all may be at the far end.
_MATCHING_NAMES: Final = (
    "(SELECT * FROM account_search_names WHERE name_lower LIKE lower(%(pattern)s) OFFSET 0)"
)

Statement = tuple[str, dict[str, Any]]
"""SQL and its parameters."""


class Count(NamedTuple):
    """How many accounts match, and where reading can start.

    `with_value` of the `total` accounts have a value in the sort column, None where counting that
    is too expensive. `seek_key` is a key of the rollup at or before the first row of the page in
    the sort direction, and `rows_before` the number of rows before that key.
    """

    total: int
    with_value: int | None
    seek_key: Any = None
    rows_before: int | None = None


class Order(NamedTuple):
    column: str
    descending: bool

    @classmethod
    def of(cls, sort: Sort) -> "Order":
        return cls(_COLUMNS[sort.removeprefix("-")], sort.startswith("-"))

    @property
    def nullable(self) -> bool:
        return self.column in ROLLUP_BY_COLUMN

    @property
    def by_score(self) -> bool:
        return self.column == "h.score"

    @property
    def id(self) -> str:
        return "h.account_id" if self.by_score else "a.id"

    def sql(self) -> str:
        """The ORDER BY clause: unknown values last in either direction, equal ones by id."""
        return f"ORDER BY {self.column} {_direction(self.descending)} NULLS LAST, {self.id}"


def count_statement(wanted: Filter, order: Order, skip: int) -> Statement:
    """SQL that returns one row, the fields of a `Count`, for a page after `skip` rows."""
    table = _rollup(wanted)
    statement, values = (
        _count_rows(wanted, order) if table is None else _sum_rollup(wanted, order, table)
    )
    if skip < DEEP or order.column not in ROLLUP_BY_COLUMN or not wanted.selects_all:
        return statement, values
    # A window function sums up the rows before each key of the rollup. The nearest key whose sum is
    # not above `skip` is where the page begins, or a little before it.
    rollup, key = ROLLUP_BY_COLUMN[order.column]
    rows_up_to = f"sum(sum(accounts)) OVER (ORDER BY {key} {_direction(order.descending)})"
    seek_keys = (
        f"SELECT {key} AS seek_key, {rows_up_to} - sum(accounts) AS rows_before"
        f" FROM {rollup} GROUP BY {key}"
    )
    return (
        f"WITH seek_keys AS ({seek_keys})"
        f" SELECT counted.*, nearest.* FROM ({statement}) counted LEFT JOIN LATERAL ("
        "SELECT seek_key, rows_before::bigint FROM seek_keys WHERE rows_before <= %(skip)s"
        " ORDER BY rows_before DESC LIMIT 1) nearest ON true"
    ), {**values, "skip": skip}


def ids_statement(
    wanted: Filter, order: Order, count: Count, skip: int, size: int
) -> Statement | None:
    """SQL that returns the ids (`id`) on the page in any order; None for a page beyond the end."""
    if skip >= count.total:
        return None
    few = count.total <= FEW
    if count.with_value is None:
        rows, values = _rows(wanted, order, few=few)
        return (rows.all_sorted(skip, size) if few else rows.both_parts(skip, size)), values
    # The page may lie in the first part of the list (rows with a value), the second, or both.
    # By score, the condition of a part says already whether its rows have a bucket.
    parts: list[str] = []
    values: dict[str, Any] = {}
    if skip < count.with_value:
        rows, values = _rows(wanted, order, few=few, unscored=False if order.by_score else None)
        limit = min(size, count.with_value - skip)
        parts.append(rows.with_value(count, count.with_value, skip, limit))
    if count.with_value < count.total and skip + size > count.with_value:
        rows, values = _rows(wanted, order, few=few, unscored=True if order.by_score else None)
        begin, end = max(skip, count.with_value), min(skip + size, count.total)
        without_value = count.total - count.with_value
        parts.append(rows.without_value(without_value, begin - count.with_value, end - begin))
    return " UNION ALL ".join(f"({part})" for part in parts), values


def _rows(
    wanted: Filter, order: Order, *, few: bool, unscored: bool | None = None
) -> "tuple[_Rows, dict[str, Any]]":
    """The matching rows and their parameters. `few`: so few match that all can be fetched."""
    # Sorted by name, the scan of the index on names reads the name anyway: a text is searched in
    # it. Otherwise it is searched in the table of lower-case names, which has a trigram index.
    by_name = order.column == "a.name" and not few
    name = 'lower(a.name) COLLATE "C"' if by_name else "n.name_lower"
    table = "h" if order.by_score else "a"
    conditions, values = wanted.of_accounts(table, name=name, unscored=unscored)
    tables = "account_health h" if order.by_score else "accounts a"
    if wanted.needs_health and not order.by_score:
        tables += " JOIN account_health h ON h.account_id = a.id"
    if wanted.name_contains is not None and not by_name:
        names = _MATCHING_NAMES if few else "account_search_names"
        tables += f" JOIN {names} n ON n.account_id = {order.id}"
    return _Rows(tables, conditions, order), values


def _rollup(wanted: Filter) -> str | None:
    """The smallest rollup whose keys include all filtered columns, None if there is none."""
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


def _sum_rollup(wanted: Filter, order: Order, rollup: str) -> Statement:
    """SQL of `total` and `with_value`, from a rollup."""
    with_value = "accounts"
    if order.by_score:
        with_value = "CASE WHEN r.bucket IS NULL THEN 0 ELSE accounts END"
    elif order.nullable and rollup != "renewal_days":  # whose rows all have a renewal date
        with_value = "with_renewal"
    conditions, values = wanted.of_rollup()
    return (
        "SELECT coalesce(sum(accounts), 0)::bigint,"
        f" coalesce(sum({with_value}), 0)::bigint FROM {rollup} r {where(conditions)}",
        values,
    )


def _count_rows(wanted: Filter, order: Order) -> Statement:
    """SQL of `total` and `with_value` by counting rows, `with_value` only where it is the same."""
    conditions, values = wanted.of_accounts("h")
    tables = "account_health h"
    if wanted.name_contains is not None:
        tables = "account_search_names n"
        if len(conditions) > 1:
            tables += " JOIN account_health h USING (account_id)"
    with_value = "NULL" if order.nullable else "count(*)"
    return f"SELECT count(*), {with_value} FROM {tables} {where(conditions)}", values


class _Rows(NamedTuple):
    """The matching rows, with the queries that read a part of them."""

    tables: str
    conditions: list[str]
    order: Order

    def all_sorted(self, skip: int, size: int) -> str:
        return f"{self._select()} {self.order.sql()} LIMIT {size} OFFSET {skip}"

    def both_parts(self, skip: int, size: int) -> str:
        """The page where it is unknown how many rows have a value."""
        end = skip + size
        first, second = self.with_value(None, None, 0, end), self.without_value(None, 0, end)
        # UNION ALL returns the parts in this order, and the second only if the first is too short
        parts = f"({first}) UNION ALL ({second})"
        return f"SELECT id FROM ({parts}) both_parts LIMIT {size} OFFSET {skip}"

    def with_value(self, count: Count | None, number: int | None, skip: int, limit: int) -> str:
        """`limit` rows after `skip` of the `number` rows that have a value in the sort column."""
        column, descending, from_end = self.order.column, self.order.descending, False
        more = [f"{column} IS NOT NULL"] if self.order.nullable else []
        if count is not None and count.rows_before is not None:
            more, skip = [self._from(count.seek_key)], skip - count.rows_before
        elif number is not None and skip > number / 2:
            descending, from_end, skip = not descending, True, number - skip - limit
        elif self.order.by_score and descending and skip < DEEP:
            return self._best_first(more, skip, limit)
        if column == "a.name":  # unique: needs no id
            order = f"{column} {_direction(descending)}"
            return f"{self._select(more)} ORDER BY {order} LIMIT {limit} OFFSET {skip}"
        # Read from the end, ids descend too. Indexes on (column, id) have both in ascending order
        # and can be read in either direction, but not with one ascending and one descending.
        if descending != from_end and skip >= DEEP:
            return self._after_ties(more, skip, limit, descending=descending)
        order = f"{column} {_direction(descending)}, {self.order.id} {_direction(from_end)}"
        return f"{self._select(more)} ORDER BY {order} LIMIT {limit} OFFSET {skip}"

    def without_value(self, number: int | None, skip: int, limit: int) -> str:
        """`limit` rows after `skip` of the `number` rows that have none in the sort column."""
        if not self.order.nullable:
            return self._select(["false"])
        from_end = number is not None and skip > number / 2
        skip = number - skip - limit if from_end and number is not None else skip
        order = f"{self.order.id} {_direction(from_end)}"
        rows = self._select([f"{self.order.column} IS NULL"])
        return f"{rows} ORDER BY {order} LIMIT {limit} OFFSET {skip}"

    def _best_first(self, more: list[str], skip: int, limit: int) -> str:
        """The first pages by descending score.

        Many accounts may have the best score. An incremental sort would sort all of them by id; as
        a part of their own they are read by id from the index.
        """
        column, enough = self.order.column, f"LIMIT {skip + limit}"
        best = self._select([*more, f"{column} = {SCORE_MAX}"])
        rest = self._select([*more, f"{column} < {SCORE_MAX}"])
        parts = (
            f"({best} ORDER BY {self.order.id} {enough})"
            f" UNION ALL ({rest} ORDER BY {column} DESC, {self.order.id} {enough})"
        )
        return f"SELECT id FROM ({parts}) scored LIMIT {limit} OFFSET {skip}"

    def _after_ties(self, more: list[str], skip: int, limit: int, *, descending: bool) -> str:
        """A deep page whose values and ids have opposite directions, which no index has.

        1. `passed` reads the values before the page in the order of the index, without ids: the
           last TIES + 1 of them, up to the first row of the page.
        2. `reached` is the value of that row. The page begins somewhere among the rows of this
           value, which are sorted by id; all rows before them can be skipped by a condition.
        3. The OFFSET is the number of rows of this value before the page: `count - 1` of `passed`
           if that has other values too. If all of `passed` has it, there may be more than TIES
           before it, and the rows with other values have to be counted (`rows_before`).
        """
        column, direction = self.order.column, _direction(descending)
        further, at_or_after = (">", "<=") if descending else ("<", ">=")
        farthest = "min" if descending else "max"
        reached = "(SELECT value FROM reached)"
        passed = self._select(more, column)
        rows_before = self._select([*more, f"{column} {further} {reached}"], "count(*)")
        page = self._select([*more, f"{column} {at_or_after} {reached}"])
        offset = f"CASE WHEN count <= {TIES} THEN count - 1 ELSE {skip} - ({rows_before}) END"
        return (
            f"WITH passed (value) AS MATERIALIZED ({passed} ORDER BY {column} {direction}"
            f" LIMIT {TIES + 1} OFFSET {max(0, skip - TIES)}),"
            f" reached AS (SELECT {farthest}(value) AS value FROM passed),"
            " ties AS (SELECT count(*) AS count FROM passed JOIN reached USING (value))"
            f" {page} ORDER BY {column} {direction}, {self.order.id} {_direction(not descending)}"
            f" LIMIT {limit} OFFSET (SELECT {offset} FROM ties)"
        )

    def _from(self, seek_key: Any) -> str:
        """The condition on rows from `seek_key` on, which comes from a rollup, not a client."""
        column, descending = self.order.column, self.order.descending
        if not self.order.by_score:
            return f"{column} {'<=' if descending else '>='} DATE '{seek_key:%Y-%m-%d}'"
        if descending:
            return f"{column} < {(seek_key + 1) / BINS_A_POINT}"
        return f"{column} >= {seek_key / BINS_A_POINT}"

    def _select(self, more: list[str] | None = None, what: str = "") -> str:
        conditions = where([*self.conditions, *(more or [])])
        return f"SELECT {what or f'{self.order.id} AS id'} FROM {self.tables} {conditions}"


def _direction(descending: bool) -> str:
    return "DESC" if descending else "ASC"
