"""Rows of a staging table into a table: what is new is inserted, what differs is updated, what is equal is not touched."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from psycopg2.extensions import cursor

from service.schema.columns import Column

PerAccount = dict[int, int]
"""By account, the number of rows that were written."""


@dataclass(frozen=True, kw_only=True)
class Merge:
    """From `staged` into `table`, both with the columns of `key` (unique in each) and with `columns`.

    `account` is the table's column with the id of a row's account, `also` what an update sets besides. The accounts that are written to
    have to be locked before: then no row of theirs changes between these statements.
    """

    table: str
    staged: str
    key: Sequence[str]
    columns: Sequence[Column]
    account: str
    also: Sequence[str] = ()

    @cached_property
    def same(self) -> str:
        """SQL: `old`, a row of the table, and `new`, a staged one, have one key."""
        return " AND ".join(f"old.{name} = new.{name}" for name in self.key)

    @cached_property
    def differs(self) -> str:
        """SQL: they say otherwise. Unknown is something to say, too."""
        return " OR ".join(
            [
                "false",
                *(
                    f"old.{column.name} IS DISTINCT FROM {_value(column)}"
                    for column in self.columns
                ),
            ]
        )

    def count(self, statements: cursor) -> tuple[int, int]:
        """How many staged rows are new, and how many differ."""
        statements.execute(" ".join([
            "SELECT count(*) FILTER (WHERE old.id IS NULL), count(*) FILTER (WHERE old.id IS NOT NULL AND (", self.differs, "))",
            "FROM", self.staged, "new LEFT JOIN", self.table, "old ON", self.same,
        ]))  # fmt: skip
        return statements.fetchall()[0]

    def insert(self, statements: cursor) -> PerAccount:
        """What is new, in the order of the key; what somebody else inserts meanwhile is not new any more."""
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
        """What differs of these accounts."""
        if not self.columns:
            return {}
        sets = ", ".join(
            [*(f"{column.name} = {_value(column)}" for column in self.columns), *self.also]
        )
        update = [
            "UPDATE", self.table, "old SET", sets, "FROM", self.staged, "new WHERE", self.same,
            "AND old.", self.account, "= ANY(%(accounts)s) AND (", self.differs, ") RETURNING old.", self.account, "AS account",
        ]  # fmt: skip
        return _per_account(statements, update, accounts=list(accounts))


def _per_account(statements: cursor, write: Sequence[str], **parameters: Any) -> PerAccount:
    counted = [
        "WITH written AS (",
        *write,
        ") SELECT account, count(*) FROM written GROUP BY account",
    ]
    statements.execute(" ".join(counted), parameters)
    return dict(statements.fetchall())


def _value(column: Column) -> str:
    """SQL: what a staged row says of a column; a blank stands for its default."""
    return (
        f"new.{column.name}"
        if column.default is None
        else f"coalesce(new.{column.name}, {column.default})"
    )
