"""Accounts as a CSV file that can be imported again as it is."""

from io import BytesIO
from typing import Final

from service.database.connection import Database
from service.queries.filters import Filter, where
from service.schema.columns import ACCOUNT_COLUMNS, Column

PROTECTED: Final = r"^''*[ \u00a0]*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]"
"""The rule of `service.importing.formulas`, for PostgreSQL; a test compares them."""


def _cell(column: Column) -> str:
    name = f"a.{column.name}"
    match column.kind:
        case "text":
            protected = f"CASE WHEN {name} ~ '{PROTECTED}' THEN '''' || {name} ELSE {name} END"
            return f"{protected} AS {column.name}"
        case "flag":
            return f"{name}::text AS {column.name}"
        case "dollars":
            return f"trim_scale({name}) AS {column.name}"
        case _:
            return name


_CELLS: Final = ", ".join(_cell(column) for column in ACCOUNT_COLUMNS)


def export(database: Database, wanted: Filter, *, limit: int) -> bytes | None:
    """The accounts that a filter lets through, by name, below a header. None when they take more than `limit` bytes."""
    conditions, values = wanted.of_accounts("a", name='lower(a.name) COLLATE "C"')
    health = "JOIN account_health h ON h.account_id = a.id" if wanted.needs_health else ""
    statement = f"SELECT {_CELLS} FROM accounts a {health} {where(conditions)} ORDER BY a.name"
    file = database.copy_out(statement, values, lambda: _Bounded(limit))
    return None if file.overflowed else file.getvalue()


class _Bounded(BytesIO):
    """Drops what comes after `limit` bytes: an error would leave the connection in the middle of a copy."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit
        self.overflowed = False

    def write(self, part: bytes, /) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]  # bytes are what a copy writes
        self.overflowed = self.overflowed or self.tell() + len(part) > self._limit
        return len(part) if self.overflowed else super().write(part)
