"""Invented accounts into the database: all of them with their history, or nothing."""

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
"""Accounts whose history is in memory at one time."""

_CLEAR: Final = (
    # whoever writes an account locks accounts before their health: so this waits for them, and they for this, never crosswise
    "LOCK TABLE accounts, account_health IN SHARE ROW EXCLUSIVE MODE",
    "DELETE FROM account_metrics_daily",
    "DELETE FROM health_snapshots",
    "DELETE FROM accounts",
)
"""What hangs on accounts goes first, at once: row by row it would take minutes."""

_FROM_STAGED: Final = "FROM staged ORDER BY name ON CONFLICT (name) DO NOTHING RETURNING name, id"

_SNAPSHOT: Final = (
    "account_id", "calculated_at", "score", "risk_label", "coverage", "component_values", "component_points", "adjustments",
)  # fmt: skip


def add(statements: cursor, *, count: int, seed: int, replace: bool, today: date) -> dict[str, Any]:
    """Adds the seed's first `count` accounts and says what was added. One whose name is taken stays as it is, with its history.

    `replace` removes every account first, in the same transaction.
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
    return _result(seed=seed, created=len(added), unchanged=count - len(added), days=days)


def _insert(statements: cursor, samples: Sequence[Sample]) -> dict[str, int]:
    """The ids of those that were not there, by name. In the order of the names, so that two at once never wait for each other crosswise."""
    accounts = [sample.account() for sample in samples]
    columns = list(accounts[0])
    names = ", ".join(columns)
    statements.execute(
        " ".join(
            [
                "CREATE TEMP TABLE staged ON COMMIT DROP AS SELECT",
                names,
                "FROM accounts WITH NO DATA",
            ]
        )
    )
    copy_rows(statements, "staged", columns, (list(account.values()) for account in accounts))
    statements.execute(" ".join(["INSERT INTO accounts (", names, ") SELECT", names, _FROM_STAGED]))
    return dict(statements.fetchall())


def _copy_history(statements: cursor, added: Sequence[tuple[int, Sample]]) -> int:
    """The number of daily rows."""
    told = [(account_id, sample, sample.days()) for account_id, sample in added]
    copy_rows(
        statements,
        "account_metrics_daily",
        ("account_id", *Day._fields),
        ((account_id, *day) for account_id, _, days in told for day in days),
    )
    copy_rows(
        statements,
        "health_snapshots",
        _SNAPSHOT,
        (
            (account_id, f"{then}T06:00:00Z", *past)
            for account_id, sample, days in told
            for then, past in sample.past_scores(days)
        ),
    )
    return sum(len(days) for _, _, days in told)


def _result(*, seed: int, created: int, unchanged: int, days: int) -> dict[str, Any]:
    there = f" {unchanged} were there already." if unchanged else ""
    return {
        "message": f"Added {created} sample accounts.{there}",
        "accounts_created": created,
        "accounts_updated": 0,
        "accounts_unchanged": unchanged,
        "metrics_created": days,
        "metrics_updated": 0,
        "errors": [],
        "seed": seed,
    }
