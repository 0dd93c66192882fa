"""A change of one account, and its score with it."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final

from psycopg2.extensions import cursor

from service.queries import accounts
from service.queries.scores import rescore

_LOCK: Final = "SELECT FROM accounts WHERE id = %(id)s FOR NO KEY UPDATE"


def change(
    statements: cursor,
    account_id: int,
    columns: Mapping[str, Any],
    today: date,
    *,
    allowed: Callable[[str], None],
) -> str | None:
    """The account after `columns` (by name) were written and it was scored again; None when it is not there.

    `columns` are names of the table's columns, never a client's. `allowed` is given the account as it is, and raises when it must not be
    changed. What is the same already is not written.
    """
    statements.execute(_LOCK, {"id": account_id})
    present = accounts.one(statements, account_id)
    if present is None:
        return None
    allowed(present)
    if columns:
        differs = " OR ".join(f"{name} IS DISTINCT FROM %({name})s" for name in columns)
        assignments = ", ".join(f"{name} = %({name})s" for name in columns)
        statements.execute(
            f"UPDATE accounts SET {assignments}, updated_at = clock_timestamp() WHERE id = %(id)s AND ({differs})",
            {**columns, "id": account_id},
        )
    rescore(statements, [account_id], today)
    return accounts.one(statements, account_id)
