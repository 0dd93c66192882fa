"""Let time pass: the day of the scores, and the score that was in force before each snapshot.

| new                               |                                                             |
| --------------------------------- | ----------------------------------------------------------- |
| table `upkeep`, one row           | the day that all scores are of, and how far a run has come  |
| `account_health.snapshot_score`   | the score of the account's newest snapshot                  |
| `health_snapshots.score_before`   | the score in force until the snapshot; of the first its own |

Expands only. The version before writes neither column: `score_before` is then null, which leaves
the snapshot out of the movers, and `snapshot_score` stays that of the snapshot before.

The rows are filled in batches that are committed one by one, so that none blocks a writer for
long, and an attempt that was interrupted writes only what is missing. A million accounts with eight
snapshots each take several minutes.
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

BATCH = 10_000
"""Accounts that are filled at a time."""

UPKEEP = (
    """
    CREATE TABLE IF NOT EXISTS upkeep (
        only_row boolean PRIMARY KEY DEFAULT true,
        scores_as_of date NOT NULL,
        day date NOT NULL,
        after_arr numeric(15, 2),
        after_id bigint,
        thinned_days_until date NOT NULL DEFAULT '2000-01-01',
        thinned_weeks_until date NOT NULL DEFAULT '2000-01-01',
        CONSTRAINT upkeep_only_row_valid CHECK (only_row)
    )
    """,
    # The oldest day that a score can be of. No row of an empty portfolio was ever scored.
    """
    INSERT INTO upkeep (scores_as_of, day)
    SELECT oldest, oldest FROM (
        SELECT coalesce(min(calculated_at AT TIME ZONE 'UTC')::date, current_date) AS oldest
        FROM account_health
    ) scores
    ON CONFLICT DO NOTHING
    """,
)

COLUMNS = (
    "ALTER TABLE account_health ADD COLUMN IF NOT EXISTS snapshot_score double precision",
    "ALTER TABLE health_snapshots ADD COLUMN IF NOT EXISTS score_before double precision",
)

RANGES = f"SELECT generate_series(0, coalesce(max(id), 0), {BATCH}) FROM accounts"

FILL = (
    """
    UPDATE health_snapshots s SET score_before = coalesce(earlier, score)
    FROM (
        SELECT id, lag(score) OVER (PARTITION BY account_id ORDER BY calculated_at, id) AS earlier
        FROM health_snapshots WHERE account_id > {after} AND account_id <= {until}
    ) before
    WHERE before.id = s.id AND s.score_before IS NULL AND coalesce(earlier, score) IS NOT NULL
    """,
    """
    UPDATE account_health h SET snapshot_score = newest.score
    FROM (
        SELECT DISTINCT ON (account_id) account_id, score FROM health_snapshots
        WHERE account_id > {after} AND account_id <= {until}
        ORDER BY account_id, calculated_at DESC, id DESC
    ) newest
    WHERE newest.account_id = h.account_id AND newest.score IS NOT NULL
        AND h.snapshot_score IS NULL
    """,
)

INDEXES = (
    "CREATE INDEX CONCURRENTLY IF NOT EXISTS health_snapshots_calculated_at_before_idx"
    " ON health_snapshots (calculated_at, account_id) INCLUDE (score_before)",
    "DROP INDEX CONCURRENTLY IF EXISTS health_snapshots_calculated_at_idx",
)


def upgrade() -> None:
    for statement in (*UPKEEP, *COLUMNS):
        op.execute(statement)
    with op.get_context().autocommit_block():
        for (after,) in op.get_bind().exec_driver_sql(RANGES).fetchall():
            for statement in FILL:
                op.execute(statement.format(after=after, until=after + BATCH))
            op.execute("SELECT compact_rollups(2000)")
        for statement in INDEXES:
            op.execute(statement)


def downgrade() -> None:
    for statement in (
        "CREATE INDEX health_snapshots_calculated_at_idx"
        " ON health_snapshots (calculated_at, account_id) INCLUDE (score)",
        "ALTER TABLE health_snapshots DROP COLUMN score_before",
        "ALTER TABLE account_health DROP COLUMN snapshot_score",
        "DROP TABLE upkeep",
    ):
        op.execute(statement)
