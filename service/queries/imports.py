"""Imports the accounts and days of a file: all of them or none, and only what is new or differs."""

from datetime import date
from typing import Any, Final

from psycopg2.extensions import cursor

from service import deadline
from service.importing import File
from service.queries.bulk_load import copy_text
from service.queries.scores import lock, rescore, will_score
from service.queries.upsert import Merge
from service.schema.columns import ACCOUNT_COLUMNS, DAY_COLUMNS

ACCOUNTS: Final = "incoming_accounts"
NAMED_DAYS: Final = "incoming_named_days"
DAYS: Final = "incoming_days"


def load(statements: cursor, file: File, *, today: date, dry_run: bool) -> dict[str, Any]:
    """Write what is new or differs, score these accounts, and return the counts as a JSON object.

    The transaction can be repeated from its start. An account of which only days are new or differ
    is scored again and counts as unchanged. `dry_run` returns the same counts and writes nothing.
    """
    accounts, days = _merges(file)
    _stage_accounts(statements, file)
    if dry_run:
        _stage_days(statements, file, "LEFT JOIN")
        return _result(file, accounts.count(statements), days.count(statements), dry_run=True)
    will_score(statements)
    created = accounts.insert(statements)
    _stage_days(statements, file, "JOIN")
    deadline.check()
    locked = _lock(statements, accounts, days) if len(created) < len(file.accounts) else []
    lock(statements, locked)
    updated = accounts.update(statements, locked)
    new_days, changed_days = days.insert(statements), days.update(statements, locked)
    deadline.check()
    if scored := created.keys() | updated.keys() | new_days.keys() | changed_days.keys():
        rescore(statements, sorted(scored), today)
    written = (len(created), len(updated)), (sum(new_days.values()), sum(changed_days.values()))
    return _result(file, *written, dry_run=False)


def _merges(file: File) -> tuple[Merge, Merge]:
    """The merges of the accounts and of the days."""
    accounts = Merge(
        table="accounts",
        staged=ACCOUNTS,
        key=("name",),
        columns=[column for column in ACCOUNT_COLUMNS[1:] if column.name in file.accounts.columns],
        account="id",
        also=("updated_at = clock_timestamp()",),
    )
    days = Merge(
        table="account_metrics_daily",
        staged=DAYS,
        key=("account_id", "date"),
        columns=[column for column in DAY_COLUMNS[1:] if column.name in file.days.columns],
        account="account_id",
    )
    return accounts, days


def _stage_accounts(statements: cursor, file: File) -> None:
    columns = file.accounts.columns
    names = ", ".join(columns)
    statements.execute(" ".join([
        "CREATE TEMP TABLE", ACCOUNTS, "ON COMMIT DROP AS SELECT", names,
        "FROM accounts WITH NO DATA",
    ]))  # fmt: skip
    copy_text(statements, ACCOUNTS, columns, file.accounts.text())
    statements.execute(" ".join(["ANALYZE", ACCOUNTS, "(name)"]))


def _stage_days(statements: cursor, file: File, join: str) -> None:
    """Stage the days with the ids of their accounts.

    `join` is JOIN or LEFT JOIN, which gives the days of an account that does not exist a null id.
    """
    columns = file.days.columns
    names = ", ".join(columns)
    values = ", ".join(columns[1:])
    statements.execute(" ".join([
        "CREATE TEMP TABLE", NAMED_DAYS, "ON COMMIT DROP AS SELECT", names,
        "FROM accounts JOIN account_metrics_daily days ON days.account_id = accounts.id",
        "WITH NO DATA",
    ]))  # fmt: skip
    copy_text(statements, NAMED_DAYS, columns, file.days.text())
    statements.execute(" ".join([
        "CREATE TEMP TABLE", DAYS, "ON COMMIT DROP AS SELECT accounts.id AS account_id,", values,
        "FROM", NAMED_DAYS, "days", join, "accounts USING (name);",
        "ANALYZE", DAYS, "(account_id, date)",
    ]))  # fmt: skip


def _lock(statements: cursor, accounts: Merge, days: Merge) -> list[int]:
    """Lock the stored accounts that differ, or have a day that is new or differs; return their ids.

    In the order of the names, as `Merge.insert` locks names, so that two imports cannot deadlock.
    """
    statements.execute(" ".join([
        "SELECT old.id FROM accounts old JOIN", accounts.staged, "new ON", accounts.same,
        "WHERE", accounts.differs,
        "OR old.id IN (",
        "SELECT new.account_id FROM", days.staged, "new LEFT JOIN", days.table, "old ON", days.same,
        "WHERE old.id IS NULL OR", days.differs, ") ORDER BY old.name FOR NO KEY UPDATE OF old",
    ]))  # fmt: skip
    return [account for (account,) in statements.fetchall()]


def _result(
    file: File, accounts: tuple[int, int], days: tuple[int, int], *, dry_run: bool
) -> dict[str, Any]:
    unchanged = len(file.accounts) - sum(accounts)
    counts = (
        f"{accounts[0]} accounts created, {accounts[1]} updated, {unchanged} unchanged;"
        f" {days[0]} days created, {days[1]} updated."
    )
    lead = "Dry run, nothing was written. It would be" if dry_run else "Imported"
    return {
        "message": f"{lead}: {counts}",
        "accounts_created": accounts[0],
        "accounts_updated": accounts[1],
        "accounts_unchanged": unchanged,
        "metrics_created": days[0],
        "metrics_updated": days[1],
        "errors": [],
    }
