"""Merges the rows of a staging table into a table.

New rows are inserted, rows that differ are updated, and equal rows are not written.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from psycopg2.extensions import cursor

from service.schema.columns import Column

PerAccount = dict[int, int]
"""The number of rows that were written, by account id."""


@dataclass(frozen=True, kw_only=True)
class Merge:
    """Merges the table `staged` into `table`.

    Both tables have the columns `key`, which are unique in each, and `columns`. `account` is the
    column of `table` with the id of a row's account. `also` are assignments that an update makes
    besides. The caller locks the accounts whose rows `update` changes: so no other session changes
    these rows between the statements.
    """

    # Two statements of SQL that seem to fit do not. INSERT … ON CONFLICT DO UPDATE locks equal rows
    # too, and uses up an identity value for each row that exists already. MERGE fails with a unique
    # violation when another session inserts the same key meanwhile. So there are plain statements
    # that share the conditions `same` and `differs`, on `old` (a row of the table) and `new` (a
    # staged row).

    table: str
    staged: str
    key: Sequence[str]
    columns: Sequence[Column]
    account: str
    also: Sequence[str] = ()

    @cached_property
    def same(self) -> str:
        """The SQL condition that `old` and `new` have the same key."""
        return " AND ".join(f"old.{name} = new.{name}" for name in self.key)

    @cached_property
    def differs(self) -> str:
        """The SQL condition that a column of `old` and `new` differs; null is a value too."""
        differences = (
            f"old.{column.name} IS DISTINCT FROM {_value(column)}" for column in self.columns
        )
        return " OR ".join(["false", *differences])

    def count(self, statements: cursor) -> tuple[int, int]:
        """Count the staged rows that are new, and those that differ."""
        statements.execute(" ".join([
            "SELECT count(*) FILTER (WHERE old.id IS NULL),",
            "count(*) FILTER (WHERE old.id IS NOT NULL AND (", self.differs, "))",
            "FROM", self.staged, "new LEFT JOIN", self.table, "old ON", self.same,
        ]))  # fmt: skip
        return statements.fetchall()[0]

    def insert(self, statements: cursor) -> PerAccount:
        """Insert the new rows in the order of the key.

        The order prevents a deadlock of two sessions that insert the same keys. ON CONFLICT skips a
        row that another session inserted after this statement's snapshot.
        """
        key = ", ".join(self.key)
        names = ", ".join([*self.key, *(column.name for column in self.columns)])
        values = ", ".join([*(f"new.{name}" for name in self.key), *map(_value, self.columns)])
        insert = [
            "INSERT INTO", self.table, "(", names, ") SELECT", values, "FROM", self.staged, "new",
            "WHERE NOT EXISTS (SELECT FROM", self.table, "old WHERE", self.same, ") ORDER BY", key,
            "ON CONFLICT (", key, ") DO NOTHING RETURNING", self.account, "AS account",
        ]  # fmt: skip
        return _per_account(statements, insert)

    def update(self, statements: cursor, accounts: Sequence[int]) -> PerAccount:
        """Update the rows of these accounts that differ."""
        if not self.columns:
            return {}
        assignments = [f"{column.name} = {_value(column)}" for column in self.columns]
        update = [
            "UPDATE", self.table, "old SET", ", ".join([*assignments, *self.also]),
            "FROM", self.staged, "new WHERE", self.same,
            "AND old.", self.account, "= ANY(%(accounts)s) AND (", self.differs, ")",
            "RETURNING old.", self.account, "AS account",
        ]  # fmt: skip
        return _per_account(statements, update, accounts=list(accounts))


def _per_account(statements: cursor, write: Sequence[str], **parameters: Any) -> PerAccount:
    """Execute a write that returns the account of each row, and count the rows of each."""
    count = [
        "WITH written AS (",
        *write,
        ") SELECT account, count(*) FROM written GROUP BY account",
    ]
    statements.execute(" ".join(count), parameters)
    return dict(statements.fetchall())


def _value(column: Column) -> str:
    """The SQL expression of a staged column's value: null is the default of a column with one."""
    return (
        f"new.{column.name}"
        if column.default is None
        else f"coalesce(new.{column.name}, {column.default})"
    )
