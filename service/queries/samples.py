"""Inserts sample accounts with their history: all of them or none."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from psycopg2.extensions import cursor

from service import deadline
from service.queries.bulk_load import copy_rows
from service.queries.scores import rescore, will_score
from service.samples import Sample, generate
from service.samples.generate import Day

AT_ONCE: Final = 50
"""Accounts whose history is in memory at a time."""

_CLEAR: Final = (
    # every write locks accounts before their health rows: in this order there is no deadlock
    "LOCK TABLE accounts, account_health IN SHARE ROW EXCLUSIVE MODE",
    "DELETE FROM account_metrics_daily",
    "DELETE FROM health_snapshots",
    "DELETE FROM accounts",
)
"""Rows that refer to accounts are deleted first, because the cascade deletes them one by one."""

_FROM_STAGED: Final = "FROM staged ORDER BY name ON CONFLICT (name) DO NOTHING RETURNING name, id"

_SNAPSHOT: Final = (
    "account_id", "calculated_at", "score", "risk_label", "coverage", "component_values",
    "component_points", "adjustments",
)  # fmt: skip

_SCORES_BEFORE: Final = """
    UPDATE health_snapshots s SET score_before = coalesce(earlier, score)
    FROM (
        SELECT id, lag(score) OVER (PARTITION BY account_id ORDER BY calculated_at, id) AS earlier
        FROM health_snapshots WHERE account_id = ANY(%(ids)s)
    ) before
    WHERE before.id = s.id
"""


def add(statements: cursor, *, count: int, seed: int, replace: bool, today: date) -> dict[str, Any]:
    """Insert the seed's first `count` accounts, and return the counts as a JSON object.

    An account whose name exists is left unchanged, with its history. `replace` deletes all accounts
    first, in the same transaction.
    """
    if replace:
        for statement in _CLEAR:
            statements.execute(statement)
    will_score(statements)
    samples = generate(seed, count, today)
    ids = _insert(statements, samples)
    added = [(ids[sample.name], sample) for sample in samples if sample.name in ids]
    days = 0
    for start in range(0, len(added), AT_ONCE):
        deadline.check()
        days += _copy_history(statements, added[start : start + AT_ONCE])
    rescore(statements, list(ids.values()), today)
    statements.execute(_SCORES_BEFORE, {"ids": list(ids.values())})
    return _result(seed=seed, created=len(added), unchanged=count - len(added), days=days)


def _insert(statements: cursor, samples: Sequence[Sample]) -> dict[str, int]:
    """Insert the accounts whose names are new, and return their ids by name.

    In the order of the names, so that two sessions cannot deadlock.
    """
    accounts = [sample.account() for sample in samples]
    columns = list(accounts[0])
    names = ", ".join(columns)
    create = "CREATE TEMP TABLE staged ON COMMIT DROP AS SELECT"
    statements.execute(" ".join([create, names, "FROM accounts WITH NO DATA"]))
    copy_rows(statements, "staged", columns, (list(account.values()) for account in accounts))
    statements.execute(" ".join(["INSERT INTO accounts (", names, ") SELECT", names, _FROM_STAGED]))
    return dict(statements.fetchall())


def _copy_history(statements: cursor, added: Sequence[tuple[int, Sample]]) -> int:
    """Insert the daily rows and the past scores. Returns the number of daily rows."""
    histories = [(account_id, sample, sample.days()) for account_id, sample in added]
    copy_rows(
        statements,
        "account_metrics_daily",
        ("account_id", *Day._fields),
        ((account_id, *day) for account_id, _, days in histories for day in days),
    )
    copy_rows(
        statements,
        "health_snapshots",
        _SNAPSHOT,
        (
            (account_id, f"{then}T06:00:00Z", *past)
            for account_id, sample, days in histories
            for then, past in sample.past_scores(days)
        ),
    )
    return sum(len(days) for _, _, days in histories)


def _result(*, seed: int, created: int, unchanged: int, days: int) -> dict[str, Any]:
    existing = f" {unchanged} were there already." if unchanged else ""
    return {
        "message": f"Added {created} sample accounts.{existing}",
        "accounts_created": created,
        "accounts_updated": 0,
        "accounts_unchanged": unchanged,
        "metrics_created": days,
        "metrics_updated": 0,
        "errors": [],
        "seed": seed,
    }
