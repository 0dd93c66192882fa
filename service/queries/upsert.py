"""Merges a staging table into a table: inserts new rows, updates different ones, skips equal ones.

Accounts that are written to have to be locked before: then none of their rows changes between the
statements.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from psycopg2.extensions import cursor

from service.schema.columns import Column

PerAccount = dict[int, int]
"""The number of rows that were written, by account."""


@dataclass(frozen=True, kw_only=True)
class Merge:
    """Merges `staged` into `table`.

    key: columns that identify a row in both. insert_key: what an insert writes besides `columns`.
    columns: the values. account: the table's column with the id of a row's account.
    also: what an update sets besides.
    kept: columns whose blank value does not erase the present one.
    defaults: SQL of the value that an insert writes for a blank one.
    """

    table: str
    staged: str
    key: Sequence[str]
    columns: Sequence[Column]
    account: str
    insert_key: Sequence[str] = ()
    is_new: str = ""
    also: Sequence[str] = ()
    kept: frozenset[str] = frozenset()
    defaults: Mapping[str, str] = field(default_factory=dict[str, str])

    @cached_property
    def same(self) -> str:
        """SQL: `old`, a row of the table, and `new`, a staged one, have one key."""
        return " AND ".join(f"old.{name} = new.{name}" for name in self.key)

    @cached_property
    def differs(self) -> str:
        """SQL: `new` has another value than `old`; unknown is a value too."""
        conditions = [
            f"old.{column.name} IS DISTINCT FROM {self._updated(column)}" for column in self.columns
        ]
        return " OR ".join(["false", *conditions])

    def count(self, statements: cursor) -> tuple[int, int]:
        """Return how many staged rows are new, and how many differ."""
        statements.execute(
            " ".join(
                [
                    "SELECT count(*) FILTER (WHERE old.id IS NULL),",
                    f"count(*) FILTER (WHERE old.id IS NOT NULL AND ({self.differs}))",
                    f"FROM {self.staged} new LEFT JOIN {self.table} old ON {self.same}",
                ]
            )
        )
        return statements.fetchall()[0]

    def insert(self, statements: cursor, parameters: Mapping[str, Any] | None = None) -> PerAccount:
        """Insert the new rows, in the order of the key.

        A row that another transaction inserts meanwhile is not new any more, and is skipped.
        """
        insert_key = self.insert_key or self.key
        names = ", ".join([*insert_key, *(column.name for column in self._inserted_columns)])
        values = ", ".join(
            [*(f"new.{name}" for name in insert_key), *map(self._inserted, self._inserted_columns)]
        )
        is_new = self.is_new or f"NOT EXISTS (SELECT FROM {self.table} old WHERE {self.same})"
        insert = [
            f"INSERT INTO {self.table} ({names}) SELECT {values} FROM {self.staged} new",
            f"WHERE {is_new} ORDER BY {', '.join(f'new.{name}' for name in insert_key)}",
            f"ON CONFLICT DO NOTHING RETURNING {self.account} AS account",
        ]
        return _per_account(statements, insert, parameters or {})

    def update(self, statements: cursor, accounts: Sequence[int]) -> PerAccount:
        """Update the rows of these accounts that differ."""
        if not self.columns:
            return {}
        sets = ", ".join(
            [*(f"{column.name} = {self._updated(column)}" for column in self.columns), *self.also]
        )
        update = [
            f"UPDATE {self.table} old SET {sets} FROM {self.staged} new WHERE {self.same}",
            f"AND old.{self.account} = ANY(%(accounts)s) AND ({self.differs})",
            f"RETURNING old.{self.account} AS account",
        ]
        return _per_account(statements, update, {"accounts": list(accounts)})

    @property
    def _inserted_columns(self) -> list[Column]:
        return [column for column in self.columns if column.name not in self.insert_key]

    def _inserted(self, column: Column) -> str:
        default = self.defaults.get(column.name, column.default)
        return (
            f"new.{column.name}" if default is None else f"coalesce(new.{column.name}, {default})"
        )

    def _updated(self, column: Column) -> str:
        if column.name in self.kept:
            return f"coalesce(new.{column.name}, old.{column.name})"
        if column.default is None:
            return f"new.{column.name}"
        return f"coalesce(new.{column.name}, {column.default})"


def _per_account(
    statements: cursor, write: Sequence[str], parameters: Mapping[str, Any]
) -> PerAccount:
    counted = [
        "WITH written AS (",
        *write,
        ") SELECT account, count(*) FROM written GROUP BY account",
    ]
    statements.execute(" ".join(counted), parameters)
    return dict(statements.fetchall())
