"""Changes an account and scores it again, or deletes it."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final

from psycopg2 import errors as pg
from psycopg2.extensions import cursor

from service.errors import ConflictError
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
    """Write `columns` (values by name), score the account, and return it as a JSON object.

    Returns None when there is no such account. The names come from the schema, never from a
    client. `allowed` gets the account as it was, as a JSON object, and raises to refuse the change.
    An account that has all of these values already is not written. Raises `ConflictError` when
    another account has the name or the external id.
    """
    statements.execute(_LOCK, {"id": account_id})
    present = accounts.one(statements, account_id)
    if present is None:
        return None
    allowed(present)
    if columns:
        differs = " OR ".join(f"{name} IS DISTINCT FROM %({name})s" for name in columns)
        assignments = ", ".join(f"{name} = %({name})s" for name in columns)
        try:
            statements.execute(
                f"UPDATE accounts SET {assignments}, updated_at = clock_timestamp() "
                f"WHERE id = %(id)s AND ({differs})",
                {**columns, "id": account_id},
            )
        except pg.UniqueViolation as error:
            constraint = error.diag.constraint_name or ""
            what = "external id" if "external_id" in constraint else "name"
            raise ConflictError(f"Another account has this {what}.") from None
    rescore(statements, [account_id], today)
    return accounts.one(statements, account_id)


def delete(statements: cursor, account_id: int, *, allowed: Callable[[str], None]) -> bool:
    """Delete the account with its history (ON DELETE CASCADE); False when there is none.

    `allowed` is called with the account, and raises when it must not be deleted.
    """
    statements.execute("SELECT FROM accounts WHERE id = %(id)s FOR UPDATE", {"id": account_id})
    present = accounts.one(statements, account_id)
    if present is None:
        return False
    allowed(present)
    statements.execute("DELETE FROM accounts WHERE id = %(id)s", {"id": account_id})
    return True
