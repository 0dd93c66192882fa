"""Rename the column `account_names.folded` and the function `fold_portfolio`.

| before                    | after                               |
| ------------------------- | ----------------------------------- |
| table `account_names`     | table `account_search_names`        |
| column `folded`           | column `name_lower`                 |
| `fold_portfolio(integer)` | `compact_rollups(integer)`          |

Only the catalog changes: no row is read or written, whatever the number of accounts. The version of
the service before this one goes on working, because the old names stay as a view and a function
that forward to the new ones. A release after the next one drops both:

    DROP VIEW account_names;
    DROP FUNCTION fold_portfolio(integer);
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

HEALTH_COLUMNS = {
    "segment": "segment",
    "region": "region",
    "cs_owner": "cs_owner",
    "industry": "industry",
    "arr": "arr",
    "renewal_date": "renewal_date",
    "seat_use": "CASE WHEN active_users > seats_purchased THEN 1"
    " ELSE active_users::double precision / seats_purchased END",
    "feature_x_adoption": "feature_x_adoption",
    "tickets_last_30d": "tickets_last_30d",
    "critical_tickets_90d": "critical_tickets_90d",
}
"""Columns of `account_health` that repeat the account's, and their expressions (see 0002)."""

COLUMNS = ", ".join(HEALTH_COLUMNS)
VALUES = ", ".join(HEALTH_COLUMNS.values())
VALUES_BY_NAME = ", ".join(f"{value} AS {name}" for name, value in HEALTH_COLUMNS.items())


def _of(table: str) -> str:
    return ", ".join(f"{table}.{name}" for name in HEALTH_COLUMNS)


ROLLUPS = {
    "portfolio_cells": (
        ("segment", "bucket", "region", "industry"),
        (
            "accounts", "with_renewal", "arr", "score_nanos", "with_seat_use", "seat_use_nanos",
            "with_feature", "feature_nanos", "tickets", "critical",
        ),
    ),
    "owner_cells": (("cs_owner", "segment", "bucket", "region"), ("accounts", "with_renewal")),
    "score_bins": (("eighth",), ("accounts",)),
    "renewal_days": (("renewal_date", "bucket"), ("accounts", "arr")),
}  # fmt: skip
"""Keys and measures of each rollup table (see 0002)."""


def _functions(table: str, column: str) -> tuple[str, ...]:
    """The trigger functions of `accounts` that write lower-case names to `column` of `table`."""
    return (
        f"""
        CREATE OR REPLACE FUNCTION add_account_health() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO {table} (account_id, {column}) SELECT id, lower(name) FROM added;
            -- a writer that scores its rows in the same transaction inserts the health rows itself
            IF current_setting('service.scores_follow', true) IS DISTINCT FROM 'true' THEN
                INSERT INTO account_health (account_id, {COLUMNS}) SELECT id, {VALUES} FROM added;
            END IF;
            RETURN NULL;
        END
        $$
        """,
        f"""
        CREATE OR REPLACE FUNCTION follow_accounts() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            -- in the order of ids, as everything that locks several of these rows
            PERFORM FROM account_health WHERE account_id IN (SELECT id FROM changed)
            ORDER BY account_id FOR NO KEY UPDATE;
            UPDATE account_health health SET ({COLUMNS}) = ROW ({_of("account")})
            FROM (SELECT id, {VALUES_BY_NAME} FROM changed) account
            WHERE account.id = health.account_id
                AND ({_of("health")}) IS DISTINCT FROM ({_of("account")});
            UPDATE {table} names SET {column} = lower(changed.name)
            FROM changed
            WHERE changed.id = names.account_id AND names.{column} <> lower(changed.name);
            RETURN NULL;
        END
        $$
        """,
        f"""
        CREATE OR REPLACE FUNCTION remove_account_health() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            DELETE FROM account_health WHERE account_id IN (SELECT id FROM removed);
            DELETE FROM {table} WHERE account_id IN (SELECT id FROM removed);
            RETURN NULL;
        END
        $$
        """,
        f"""
        CREATE OR REPLACE FUNCTION empty_portfolio() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN TRUNCATE account_health, {table}, {", ".join(ROLLUPS)}; RETURN NULL; END $$
        """,
    )


def _compact(name: str) -> str:
    """PL/pgSQL that replaces the rows which share their first key with a delta by their sums."""
    keys, measures = ROLLUPS[name]
    first_key, columns = keys[0], ", ".join((*keys, *measures))
    sums = [f"sum({measure})" for measure in measures]
    return f"""
        IF (SELECT count(*) FROM {name} WHERE is_delta) > deltas THEN
            WITH gone AS (
                DELETE FROM {name}
                WHERE {first_key} IS NULL
                    OR {first_key} IN (SELECT {first_key} FROM {name} WHERE is_delta)
                RETURNING {columns}
            )
            INSERT INTO {name} (is_delta, {columns})
            SELECT false, {", ".join(keys)}, {", ".join(sums)} FROM gone
            GROUP BY {", ".join(keys)} HAVING {" OR ".join(f"{total} <> 0" for total in sums)};
        END IF;
    """


def _compaction(name: str) -> str:
    """The function `name`, which compacts each rollup table that has more than `deltas` deltas."""
    return f"""
        CREATE OR REPLACE FUNCTION {name}(deltas integer) RETURNS void LANGUAGE plpgsql AS $$
        BEGIN
            -- One session at a time; the others skip it, because deltas only make reads slower.
            -- The key is that of 0002: a call from before this migration may hold it still.
            IF NOT pg_try_advisory_xact_lock(hashtext('fold_portfolio')) THEN RETURN; END IF;
            {"".join(_compact(rollup) for rollup in ROLLUPS)}
        END
        $$
    """


def _not_null(table: str) -> str:
    """Gives the NOT NULL constraints of `table` their default names, which PostgreSQL 18 stores."""
    return f"""
        DO $$
        DECLARE
            given record;
        BEGIN
            FOR given IN
                SELECT conname, attname FROM pg_constraint
                JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1]
                WHERE conrelid = '{table}'::regclass AND contype = 'n'
            LOOP
                EXECUTE format('ALTER TABLE {table} RENAME CONSTRAINT %I TO %I',
                    given.conname, '{table}_' || given.attname || '_not_null');
            END LOOP;
        END
        $$
    """


FORWARD = """
    CREATE OR REPLACE FUNCTION fold_portfolio(deltas integer) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN PERFORM compact_rollups(deltas); END $$
"""


def upgrade() -> None:
    for statement in (
        "ALTER TABLE account_names RENAME TO account_search_names",
        "ALTER TABLE account_search_names RENAME COLUMN folded TO name_lower",
        "ALTER TABLE account_search_names"
        " RENAME CONSTRAINT account_names_pkey TO account_search_names_pkey",
        _not_null("account_search_names"),
        "ALTER INDEX account_names_folded_idx RENAME TO account_search_names_name_lower_idx",
        "ALTER INDEX account_names_folded_eq_idx RENAME TO account_search_names_name_lower_eq_idx",
        "CREATE VIEW account_names AS"
        " SELECT account_id, name_lower AS folded FROM account_search_names",
        *_functions("account_search_names", "name_lower"),
        _compaction("compact_rollups"),
        FORWARD,
    ):
        op.execute(statement)


def downgrade() -> None:
    for statement in (
        "DROP VIEW account_names",
        "ALTER INDEX account_search_names_name_lower_idx RENAME TO account_names_folded_idx",
        "ALTER INDEX account_search_names_name_lower_eq_idx RENAME TO account_names_folded_eq_idx",
        "ALTER TABLE account_search_names"
        " RENAME CONSTRAINT account_search_names_pkey TO account_names_pkey",
        "ALTER TABLE account_search_names RENAME COLUMN name_lower TO folded",
        "ALTER TABLE account_search_names RENAME TO account_names",
        _not_null("account_names"),
        *_functions("account_names", "folded"),
        _compaction("fold_portfolio"),
        "DROP FUNCTION compact_rollups(integer)",
    ):
        op.execute(statement)
