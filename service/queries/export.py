"""Exports accounts as a CSV file that can be imported again without a change."""

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
            # the rule of `importing.formulas.protected`, in SQL; a test compares the two
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
    """Return the matching accounts by name below a header; None if they exceed `limit` bytes."""
    conditions, values = wanted.of_accounts("a", name='lower(a.name) COLLATE "C"')
    health = "JOIN account_health h ON h.account_id = a.id" if wanted.needs_health else ""
    rows = f"FROM accounts a {health} {where(conditions)}"
    statement = f"SELECT {_CELLS} {rows} ORDER BY a.name"
    file = database.copy_out(statement, values, lambda: _Bounded(limit))
    return None if file.overflowed else file.getvalue()


class _Bounded(BytesIO):
    """A buffer that discards what exceeds `limit` bytes.

    An exception instead would leave the connection in the middle of a COPY.
    """

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit
        self.overflowed = False

    def write(self, part: bytes, /) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]  # COPY writes bytes
        self.overflowed = self.overflowed or self.tell() + len(part) > self._limit
        return len(part) if self.overflowed else super().write(part)
