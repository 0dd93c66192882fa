"""Imports a file's accounts and days: all or none, and writes only those that differ."""

from datetime import date
from typing import Any, Final

from psycopg2.extensions import cursor

from service import deadline
from service.importing import File, InvalidFileError, Problem
from service.queries import undo
from service.queries.bulk_load import copy_text
from service.queries.scores import lock, rescore, will_score
from service.queries.upsert import Merge
from service.schema.columns import ACCOUNT_COLUMNS, DAY_COLUMNS

RAW: Final = "incoming_raw"
ACCOUNTS: Final = "incoming_accounts"
RAW_DAYS: Final = "incoming_raw_days"
DAYS: Final = "incoming_days"
SIMILAR_LISTED: Final = 20
IDENTITY: Final = frozenset({"external_id", "segment"})
"""Columns of which a blank cell says nothing: an identity is not erased by it, and a required
value has its default."""


def load(
    statements: cursor, file: File, *, today: date, dry_run: bool, segment: str | None = None
) -> dict[str, Any]:
    """Write what is new or differs, score the accounts concerned, and return the counts.

    In one transaction, and repeatable from its start. An account of which only days are new or
    differ is scored again and counts as unchanged. `dry_run` counts the same, refuses the same, and
    writes nothing. `segment` is that of new accounts without one. Raises `InvalidFileError` for
    rows that contradict the accounts in the database.
    """
    accounts, days = _merges(file)
    _stage_accounts(statements, file)
    _check_identities(statements, file)
    similar = _similar_names(statements)
    if dry_run:
        _stage_days(statements, file)
        counts = accounts.count(statements), days.count(statements)
        return _result(file, *counts, similar=similar, import_id=None, dry_run=True)
    will_score(statements)
    created = accounts.insert(statements, {"segment": segment})
    _add_new_ids(statements)
    _stage_days(statements, file)
    deadline.check()
    locked = _lock(statements, accounts, days) if len(created) < len(file.accounts) else []
    lock(statements, locked)
    undo.remember(statements, [*{*locked} - {*created}], DAYS)
    updated = accounts.update(statements, locked)
    new_days, changed_days = days.insert(statements), days.update(statements, locked)
    deadline.check()
    import_id = None
    if scored := created.keys() | updated.keys() | new_days.keys() | changed_days.keys():
        rescore(statements, sorted(scored), today)
        import_id = undo.record(statements, list(created), DAYS)
    written = (len(created), len(updated)), (sum(new_days.values()), sum(changed_days.values()))
    return _result(file, *written, similar=similar, import_id=import_id, dry_run=False)


def _merges(file: File) -> tuple[Merge, Merge]:
    staged = {*file.accounts.columns, "segment"}
    accounts = Merge(
        table="accounts",
        staged=ACCOUNTS,
        key=("id",),
        insert_key=("name",),
        is_new="new.id IS NULL",
        columns=[column for column in ACCOUNT_COLUMNS if column.name in staged],
        account="id",
        also=("updated_at = clock_timestamp()",),
        kept=IDENTITY,
        defaults={"segment": "%(segment)s"},
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
    """Stage the accounts with the ids that they have in the database, null for new ones.

    An external id identifies an account; else its name does. A row with an external id adopts an
    account of its name that has none. `taken` is the id of another account that has the row's name.
    """
    columns = file.accounts.columns
    names = ", ".join(dict.fromkeys([*columns[1:], "segment"]))
    statements.execute(
        f"CREATE TEMP TABLE {RAW} ON COMMIT DROP AS "
        f"SELECT ''::text AS key, {names} FROM accounts WITH NO DATA"
    )
    copy_text(statements, RAW, columns, file.accounts.text())
    statements.execute(f"ANALYZE {RAW} (name)")
    if "external_id" in columns:
        joins = "LEFT JOIN accounts known ON known.external_id = raw.external_id"
        adopted = "CASE WHEN raw.external_id IS NULL OR named.external_id IS NULL THEN named.id END"
        identity = f"coalesce(known.id, {adopted})"
    else:
        joins, identity = "", "named.id"
    statements.execute(
        f"CREATE TEMP TABLE {ACCOUNTS} ON COMMIT DROP AS "
        f"SELECT raw.*, {identity} AS id, nullif(named.id, {identity}) AS taken FROM {RAW} raw "
        f"{joins} LEFT JOIN accounts named ON named.name = raw.name; ANALYZE {ACCOUNTS} (id, name)"
    )


def _check_identities(statements: cursor, file: File) -> None:
    """Refuse rows that would give two accounts one name, or that are one account twice."""
    if "external_id" not in file.accounts.columns:
        return
    statements.execute(
        f"SELECT key, taken FROM {ACCOUNTS} WHERE taken IS NOT NULL "
        f"UNION ALL SELECT max(key), NULL FROM {ACCOUNTS} WHERE id IS NOT NULL "
        "GROUP BY id HAVING count(*) > 1 LIMIT 100"
    )
    problems = [
        Problem(
            file.accounts.row(key),
            "name" if taken is not None else "external_id",
            "name_taken" if taken is not None else "duplicate",
            f"Account {taken} has this name, and is another account by its external id. Names are "
            "unique: make them differ, by the country for example."
            if taken is not None
            else "Another row is the same account: one by its external id, the other by its name.",
        )
        for key, taken in statements.fetchall()
    ]
    if problems:
        problems.sort(key=lambda problem: problem.row)
        raise InvalidFileError(problems, len(problems))


def _similar_names(statements: cursor) -> list[dict[str, str]]:
    """Return the new accounts whose names differ from other names in case only."""
    statements.execute(
        f"""
        WITH fresh AS MATERIALIZED (
            SELECT name, lower(name) COLLATE "C" AS lowered FROM {ACCOUNTS} WHERE id IS NULL
        )
        SELECT fresh.name, accounts.name FROM fresh
        JOIN account_search_names names ON names.name_lower = fresh.lowered
        JOIN accounts ON accounts.id = names.account_id AND accounts.name <> fresh.name
        UNION
        SELECT fresh.name, other.name FROM fresh
        JOIN fresh other ON other.lowered = fresh.lowered AND other.name < fresh.name
        ORDER BY 1, 2 LIMIT {SIMILAR_LISTED}
        """
    )
    return [{"name": name, "other": other} for name, other in statements.fetchall()]


def _add_new_ids(statements: cursor) -> None:
    """Give staged rows the ids of accounts that were inserted, here or by another transaction."""
    statements.execute(
        f"UPDATE {ACCOUNTS} staged SET id = accounts.id FROM accounts "
        "WHERE staged.id IS NULL AND accounts.name = staged.name"
    )


def _stage_days(statements: cursor, file: File) -> None:
    """Stage the days with the ids of their accounts, null for accounts that are not there yet."""
    columns = file.days.columns
    values = ", ".join(columns[1:])
    statements.execute(
        f"CREATE TEMP TABLE {RAW_DAYS} ON COMMIT DROP AS "
        f"SELECT ''::text AS key, {values} FROM account_metrics_daily WITH NO DATA"
    )
    copy_text(statements, RAW_DAYS, columns, file.days.text())
    statements.execute(
        f"CREATE TEMP TABLE {DAYS} ON COMMIT DROP AS SELECT staged.id AS account_id, {values} "
        f"FROM {RAW_DAYS} days JOIN {ACCOUNTS} staged USING (key); "
        f"ANALYZE {DAYS} (account_id, date)"
    )


def _lock(statements: cursor, accounts: Merge, days: Merge) -> list[int]:
    """Lock the existing accounts that differ, or that have a new or changed day; return their ids.

    In the order of the names, which is that of insertions too, so that two imports never deadlock.
    """
    statements.execute(
        f"SELECT old.id FROM accounts old JOIN {accounts.staged} new ON {accounts.same} "
        f"WHERE {accounts.differs} OR old.id IN (SELECT new.account_id FROM {days.staged} new "
        f"LEFT JOIN {days.table} old ON {days.same} WHERE old.id IS NULL OR {days.differs}) "
        "ORDER BY old.name FOR NO KEY UPDATE OF old"
    )
    return [account for (account,) in statements.fetchall()]


def _result(
    file: File,
    accounts: tuple[int, int],
    days: tuple[int, int],
    *,
    similar: list[dict[str, str]],
    import_id: int | None,
    dry_run: bool,
) -> dict[str, Any]:
    unchanged = len(file.accounts) - sum(accounts)
    counted = (
        f"{accounts[0]} accounts created, {accounts[1]} updated, {unchanged} unchanged; "
        f"{days[0]} days created, {days[1]} updated."
    )
    understanding = file.understanding
    return {
        "message": f"Dry run, nothing was written. It would be: {counted}"
        if dry_run
        else f"Imported: {counted}",
        "accounts_created": accounts[0],
        "accounts_updated": accounts[1],
        "accounts_unchanged": unchanged,
        "metrics_created": days[0],
        "metrics_updated": days[1],
        "errors": [],
        "import_id": import_id,
        "number_format": understanding.number_format,
        "date_order": understanding.date_order,
        "columns": [
            {"header": header, "column": column} for header, column in understanding.columns
        ],
        "ignored_columns": [column._asdict() for column in understanding.ignored_columns],
        "ignored_rows": [row._asdict() for row in understanding.ignored_rows],
        "similar_names": similar,
        "preview": understanding.preview if dry_run else [],
    }
