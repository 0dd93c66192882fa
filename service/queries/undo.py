"""Records what an import changes, and takes it back.

A change has the row as it was before (null for a row that the import created) and a fingerprint of
the row after it. An import can be undone within a day, as long as every row still has its
fingerprint: then it has not been written since.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from psycopg2.extensions import cursor

from service.errors import ConflictError, NotFoundError
from service.queries.scores import lock, rescore
from service.schema.columns import ACCOUNT_COLUMNS, DAY_COLUMNS

HOURS: Final = 24
LISTED: Final = 100
"""Accounts that a refusal names."""

_ACCOUNT: Final = ", ".join(column.name for column in ACCOUNT_COLUMNS)
_DAY: Final = ", ".join(column.name for column in DAY_COLUMNS[1:])
_ACCOUNT_AFTER: Final = "accounts.updated_at::text"
"""Every write to an account moves it; a new score does not."""
_DAY_AFTER: Final = "md5(days::text)"

_DELETE_EXPIRED: Final = f"""
    DELETE FROM imports WHERE id IN (
        SELECT id FROM imports WHERE created_at < now() - interval '{HOURS} hours'
        ORDER BY id LIMIT 20 FOR UPDATE SKIP LOCKED
    )
"""

_REMEMBER: Final = """
    CREATE TEMP TABLE undo_before ON COMMIT DROP AS
    SELECT id AS account_id, NULL::date AS date, to_jsonb(accounts) AS before
    FROM accounts WHERE id = ANY(%(ids)s)
    UNION ALL
    SELECT days.account_id, days.date, to_jsonb(days) FROM account_metrics_daily days
    JOIN {staged} staged ON staged.account_id = days.account_id AND staged.date = days.date
    WHERE days.account_id = ANY(%(ids)s)
"""

_RECORD: Final = f"""
    INSERT INTO import_changes (import_id, account_id, date, before, after)
    SELECT %(import_id)s, id, NULL::date, NULL::jsonb, {_ACCOUNT_AFTER}
    FROM accounts WHERE id = ANY(%(created)s)
    UNION ALL
    SELECT %(import_id)s, id, NULL::date, undo_before.before, {_ACCOUNT_AFTER}
    FROM accounts JOIN undo_before ON account_id = id AND date IS NULL
    WHERE before ->> 'updated_at' <> to_jsonb(accounts) ->> 'updated_at'
    UNION ALL
    SELECT %(import_id)s, days.account_id, days.date, undo_before.before, {_DAY_AFTER}
    FROM account_metrics_daily days
    JOIN {{staged}} staged ON staged.account_id = days.account_id AND staged.date = days.date
    LEFT JOIN undo_before ON undo_before.account_id = days.account_id
        AND undo_before.date = days.date
    WHERE undo_before.before IS DISTINCT FROM to_jsonb(days)
"""


def remember(statements: cursor, locked: Sequence[int], staged_days: str) -> None:
    """Copy the rows of locked accounts that an import may change; call it before the change."""
    statements.execute(_REMEMBER.format(staged=staged_days), {"ids": list(locked)})


def record(statements: cursor, created: Sequence[int], staged_days: str) -> int:
    """Record the changes since `remember`; return the import's id. Forgets what is too old."""
    delete_expired(statements)
    statements.execute("INSERT INTO imports DEFAULT VALUES RETURNING id")
    (import_id,) = statements.fetchone() or (0,)
    statements.execute(
        _RECORD.format(staged=staged_days), {"import_id": import_id, "created": list(created)}
    )
    return int(import_id)


def delete_expired(statements: cursor) -> int:
    """Delete some imports that can no longer be undone; return how many."""
    statements.execute(_DELETE_EXPIRED)
    return statements.rowcount


def undo(statements: cursor, import_id: int, *, today: date) -> dict[str, Any]:
    """Take an import back: created rows are deleted, changed ones restored as they were.

    `updated_at` is restored as well, so that the import before this one can be undone next.

    Raises `NotFoundError` for an import that is unknown or older than a day, `ConflictError` for
    one that was undone, and for one whose rows were written to since, with the accounts.
    """
    statements.execute(
        f"SELECT undone_at IS NOT NULL FROM imports WHERE id = %(id)s "
        f"AND created_at > now() - interval '{HOURS} hours' FOR UPDATE",
        {"id": import_id},
    )
    found = statements.fetchone()
    if found is None:
        raise NotFoundError(
            f"There is no import {import_id} of the last {HOURS} hours that can be undone."
        )
    if found[0]:
        raise ConflictError("This import was undone before.")
    _lock_accounts(statements, import_id)
    _check_untouched(statements, import_id)
    parameters = {"id": import_id}
    statements.execute(_DELETE_DAYS, parameters)
    days_deleted = statements.rowcount
    statements.execute(_RESTORE_DAYS, parameters)
    days_restored = statements.rowcount
    statements.execute(_DELETE_ACCOUNTS, parameters)
    deleted = statements.rowcount
    statements.execute(_RESTORE_ACCOUNTS, parameters)
    restored = statements.rowcount
    statements.execute(
        "SELECT DISTINCT account_id FROM import_changes JOIN accounts ON accounts.id = account_id "
        "WHERE import_id = %(id)s",
        parameters,
    )
    rescore(statements, sorted(account for (account,) in statements.fetchall()), today)
    statements.execute("UPDATE imports SET undone_at = now() WHERE id = %(id)s", parameters)
    return {
        "message": f"Undone: {deleted} accounts deleted, {restored} restored; "
        f"{days_deleted} days deleted, {days_restored} restored.",
        "accounts_deleted": deleted,
        "accounts_restored": restored,
        "metrics_deleted": days_deleted,
        "metrics_restored": days_restored,
    }


def _lock_accounts(statements: cursor, import_id: int) -> None:
    statements.execute(
        "SELECT id FROM accounts WHERE id IN "
        "(SELECT account_id FROM import_changes WHERE import_id = %(id)s) "
        "ORDER BY name FOR UPDATE",
        {"id": import_id},
    )
    lock(statements, sorted(account for (account,) in statements.fetchall()))


_TOUCHED: Final = f"""
    SELECT DISTINCT changes.account_id, accounts.name FROM import_changes changes
    LEFT JOIN accounts ON accounts.id = changes.account_id
    LEFT JOIN account_metrics_daily days
        ON days.account_id = changes.account_id AND days.date = changes.date
    WHERE changes.import_id = %(id)s AND changes.after IS DISTINCT FROM
        CASE WHEN changes.date IS NULL THEN {_ACCOUNT_AFTER} ELSE {_DAY_AFTER} END
    UNION
    SELECT days.account_id, accounts.name FROM import_changes changes
    JOIN account_metrics_daily days ON days.account_id = changes.account_id
    JOIN accounts ON accounts.id = days.account_id
    WHERE changes.import_id = %(id)s AND changes.date IS NULL AND changes.before IS NULL
        AND NOT EXISTS (
            SELECT FROM import_changes other WHERE other.import_id = %(id)s
                AND other.account_id = days.account_id AND other.date = days.date
        )
    ORDER BY 1 LIMIT {LISTED}
"""
"""Accounts with a row that was written since, or created ones that have days of later imports."""

_DELETE_DAYS: Final = """
    DELETE FROM account_metrics_daily days USING import_changes changes
    WHERE changes.import_id = %(id)s AND changes.date = days.date
        AND changes.account_id = days.account_id AND changes.before IS NULL
"""
_RESTORE_DAYS: Final = f"""
    UPDATE account_metrics_daily days SET ({_DAY}) = (
        SELECT {_DAY} FROM jsonb_populate_record(NULL::account_metrics_daily, changes.before)
    )
    FROM import_changes changes
    WHERE changes.import_id = %(id)s AND changes.date = days.date
        AND changes.account_id = days.account_id AND changes.before IS NOT NULL
"""
_DELETE_ACCOUNTS: Final = """
    DELETE FROM accounts USING import_changes changes
    WHERE changes.import_id = %(id)s AND changes.account_id = accounts.id
        AND changes.date IS NULL AND changes.before IS NULL
"""
_RESTORE_ACCOUNTS: Final = f"""
    UPDATE accounts SET ({_ACCOUNT}, updated_at) = (
        SELECT {_ACCOUNT}, updated_at
        FROM jsonb_populate_record(NULL::accounts, changes.before)
    )
    FROM import_changes changes
    WHERE changes.import_id = %(id)s AND changes.date IS NULL
        AND changes.account_id = accounts.id AND changes.before IS NOT NULL
"""


def _check_untouched(statements: cursor, import_id: int) -> None:
    statements.execute(_TOUCHED, {"id": import_id})
    touched = statements.fetchall()
    if touched:
        names = ", ".join(name or f"account {account} (deleted)" for account, name in touched[:5])
        more = " and more" if len(touched) > 5 else ""
        raise ConflictError(
            f"Nothing was undone: these accounts were written to since: {names}{more}. Change them "
            "one by one instead.",
            errors=[
                {"account_id": account, "name": name, "code": "changed_since"}
                for account, name in touched
            ],
        )
