"""Make lists and metrics fast, and store the responses to idempotent writes.

Health rows repeat columns of their account, rollup tables have sums by all columns that lists are
filtered by (ADR 12), a table of lower-case names has a trigram index, and indexes cover the lists.
Migration 0005 renames the column `folded` and the function `fold_portfolio`.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

COPIED = {
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
"""Columns of `account_health`, and the expressions of the account's columns that they repeat.

So the rollups depend on one row only, and on that row's lock.
"""

COLUMNS = ", ".join(COPIED)
VALUES = ", ".join(COPIED.values())
FACTS = ", ".join(f"{value} AS {name}" for name, value in COPIED.items())


def _of(table: str) -> str:
    return ", ".join(f"{table}.{name}" for name in COPIED)


COPIES = (
    """
    ALTER TABLE account_health
        ADD COLUMN segment varchar(20),
        ADD COLUMN region varchar(50),
        ADD COLUMN cs_owner varchar(100),
        ADD COLUMN industry varchar(100),
        ADD COLUMN arr numeric(15, 2),
        ADD COLUMN renewal_date date,
        ADD COLUMN seat_use double precision,
        ADD COLUMN feature_x_adoption double precision,
        ADD COLUMN tickets_last_30d integer,
        ADD COLUMN critical_tickets_90d integer
    """,
    f"UPDATE account_health SET ({COLUMNS}) ="
    f" (SELECT {VALUES} FROM accounts WHERE id = account_id)",
    "ALTER TABLE account_health ALTER COLUMN segment SET NOT NULL, ALTER COLUMN arr SET NOT NULL",
    # Triggers insert, update and delete these rows, one statement for all of them; a foreign key
    # would check them one by one.
    "ALTER TABLE account_health SET (fillfactor = 80),"
    " DROP CONSTRAINT account_health_account_id_fkey",
)

SEARCH = (
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    """
    CREATE TABLE account_names (
        account_id bigint PRIMARY KEY,
        folded text COLLATE "C" NOT NULL
    )
    """,
    "INSERT INTO account_names SELECT id, lower(name) FROM accounts",
    "CREATE INDEX account_names_folded_idx ON account_names USING gin (folded gin_trgm_ops)",
)

FOLLOW_ACCOUNTS = (
    f"CREATE VIEW account_facts AS SELECT id AS account_id, {FACTS} FROM accounts",
    f"""
    CREATE OR REPLACE FUNCTION add_account_health() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO account_names (account_id, folded) SELECT id, lower(name) FROM added;
        -- a writer that scores its rows in the same transaction inserts the health rows itself
        IF current_setting('service.scores_follow', true) IS DISTINCT FROM 'true' THEN
            INSERT INTO account_health (account_id, {COLUMNS}) SELECT id, {VALUES} FROM added;
        END IF;
        RETURN NULL;
    END
    $$
    """,
    f"""
    CREATE FUNCTION follow_accounts() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        -- in the order of ids, as everything that locks several of these rows
        PERFORM FROM account_health WHERE account_id IN (SELECT id FROM changed)
        ORDER BY account_id FOR NO KEY UPDATE;
        UPDATE account_health health SET ({COLUMNS}) = ROW ({_of("now_known")})
        FROM (SELECT id, {FACTS} FROM changed) now_known
        WHERE now_known.id = health.account_id
            AND ({_of("health")}) IS DISTINCT FROM ({_of("now_known")});
        UPDATE account_names names SET folded = lower(changed.name)
        FROM changed WHERE changed.id = names.account_id AND names.folded <> lower(changed.name);
        RETURN NULL;
    END
    $$
    """,
    """
    CREATE TRIGGER accounts_follow AFTER UPDATE ON accounts
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION follow_accounts()
    """,
    """
    CREATE FUNCTION remove_account_health() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        DELETE FROM account_health WHERE account_id IN (SELECT id FROM removed);
        DELETE FROM account_names WHERE account_id IN (SELECT id FROM removed);
        RETURN NULL;
    END
    $$
    """,
    """
    CREATE TRIGGER accounts_remove_health AFTER DELETE ON accounts
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION remove_account_health()
    """,
)

MEASURES = {
    "accounts": "sum(sign)",
    "with_renewal": "sum(sign) FILTER (WHERE renewal_date IS NOT NULL)",
    "arr": "sum(sign * arr)",
    "score_nanos": "sum(sign * (score * 1e9)::bigint)",
    "with_seat_use": "sum(sign) FILTER (WHERE seat_use IS NOT NULL)",
    "seat_use_nanos": "sum(sign * (seat_use * 1e9)::bigint)",
    "with_feature": "sum(sign) FILTER (WHERE feature_x_adoption IS NOT NULL)",
    "feature_nanos": "sum(sign * (feature_x_adoption * 1e9)::bigint)",
    "tickets": "sum(sign * tickets_last_30d::bigint)",
    "critical": "sum(sign * critical_tickets_90d::bigint)",
}
"""The measures of rollups. `sign` is 1 for a new row and -1 for an old one.

Scores and ratios are summed as integers in billionths, so that sums stay exact.
"""

KEYS = {
    "segment": ("segment", "varchar(20) NOT NULL"),
    "bucket": ("bucket", "varchar(20)"),
    "region": ("region", "varchar(50)"),
    "industry": ("industry", "varchar(100)"),
    "cs_owner": ("cs_owner", "varchar(100)"),
    "eighth": ("floor(score * 8)", "integer NOT NULL"),
    "renewal_date": ("renewal_date", "date NOT NULL"),
}

ROLLUPS = {
    "portfolio_cells": (("segment", "bucket", "region", "industry"), tuple(MEASURES)),
    "owner_cells": (("cs_owner", "segment", "bucket", "region"), ("accounts", "with_renewal")),
    "score_bins": (("eighth",), ("accounts",)),
    "renewal_days": (("renewal_date", "bucket"), ("accounts", "arr")),
}
"""Keys and measures of each rollup.

Writers only append rows (`is_delta`), so that none waits for another; readers sum the rows.
"""

ONLY = {"score_bins": "WHERE score IS NOT NULL", "renewal_days": "WHERE renewal_date IS NOT NULL"}


def _table(name: str) -> tuple[str, ...]:
    keys, measures = ROLLUPS[name]
    columns = [f"{key} {KEYS[key][1]}" for key in keys] + [
        f"{measure} numeric NOT NULL" for measure in measures
    ]
    return (
        f"CREATE TABLE {name} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
        f" is_delta boolean NOT NULL, {', '.join(columns)})",
        f"CREATE INDEX {name}_{keys[0]}_idx ON {name} ({keys[0]})",
        f"CREATE INDEX {name}_is_delta_idx ON {name} (is_delta) WHERE is_delta",
    )


def _append(name: str, is_delta: str) -> str:
    """The INSERT of the deltas of a rollup, from the rows of `counted`.

    Deltas of zero are left out, but not in `portfolio_cells`: a new row there shows that a score
    changed (see `queries.movers`).
    """
    keys, measures = ROLLUPS[name]
    sums = [f"coalesce({MEASURES[measure]}, 0)" for measure in measures]
    having = (
        ""
        if name == "portfolio_cells"
        else f" HAVING {' OR '.join(f'{total} <> 0' for total in sums)}"
    )
    return (
        f"INSERT INTO {name} (is_delta, {', '.join((*keys, *measures))})"
        f" SELECT {is_delta}, {', '.join(KEYS[key][0] for key in keys)}, {', '.join(sums)}"
        f" FROM counted {ONLY.get(name, '')}"
        f" GROUP BY {', '.join(str(index + 2) for index in range(len(keys)))}{having}"
    )


def _count(source: str, is_delta: str) -> str:
    *inserts, last = (_append(name, is_delta) for name in ROLLUPS)
    ctes = ", ".join(f"r{index} AS ({insert})" for index, insert in enumerate(inserts))
    return f"WITH counted AS MATERIALIZED ({source}), {ctes} {last}"


READ = ", ".join((*COPIED, "score", "bucket"))
ADDED = f"SELECT 1 AS sign, {READ} FROM added"
REMOVED = f"SELECT -1 AS sign, {READ} FROM removed"
EVENTS = {
    "INSERT": ("NEW TABLE AS added", ADDED),
    "DELETE": ("OLD TABLE AS removed", REMOVED),
    "UPDATE": ("NEW TABLE AS added OLD TABLE AS removed", f"{ADDED} UNION ALL {REMOVED}"),
}


def _roll_up(event: str) -> tuple[str, str]:
    tables, source = EVENTS[event]
    name = f"roll_up_{event.lower()}"
    return (
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$"
        f" BEGIN {_count(source, 'true')}; RETURN NULL; END $$",
        f"CREATE TRIGGER account_health_{name} AFTER {event} ON account_health"
        f" REFERENCING {tables} FOR EACH STATEMENT EXECUTE FUNCTION {name}()",
    )


def _compact(name: str) -> str:
    """PL/pgSQL that replaces the rows which share their first key with a delta by their sums."""
    keys, measures = ROLLUPS[name]
    lead, columns = keys[0], ", ".join((*keys, *measures))
    sums = [f"sum({measure})" for measure in measures]
    return f"""
        IF (SELECT count(*) FROM {name} WHERE is_delta) > deltas THEN
            WITH gone AS (
                DELETE FROM {name}
                WHERE {lead} IS NULL OR {lead} IN (SELECT {lead} FROM {name} WHERE is_delta)
                RETURNING {columns}
            )
            INSERT INTO {name} (is_delta, {columns})
            SELECT false, {", ".join(keys)}, {", ".join(sums)} FROM gone
            GROUP BY {", ".join(keys)} HAVING {" OR ".join(f"{total} <> 0" for total in sums)};
        END IF;
    """


COMPACT = f"""
    CREATE FUNCTION fold_portfolio(deltas integer) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
        -- one session at a time; the others skip it, because deltas only make reads slower
        IF NOT pg_try_advisory_xact_lock(hashtext('fold_portfolio')) THEN RETURN; END IF;
        {"".join(_compact(name) for name in ROLLUPS)}
    END
    $$
"""

EMPTY = (
    f"""
    CREATE FUNCTION empty_portfolio() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN TRUNCATE account_health, account_names, {", ".join(ROLLUPS)}; RETURN NULL; END $$
    """,
    "CREATE TRIGGER accounts_empty_portfolio AFTER TRUNCATE ON accounts"
    " FOR EACH STATEMENT EXECUTE FUNCTION empty_portfolio()",
)

MOVERS = """
    CREATE TABLE computed_movers (
        days integer PRIMARY KEY,
        today date NOT NULL,
        data_version text NOT NULL,
        movers jsonb NOT NULL
    )
"""

IDEMPOTENCY = (
    """
    CREATE TABLE idempotency_records (
        key bytea PRIMARY KEY,
        request bytea NOT NULL,
        body text NOT NULL,
        headers jsonb NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    "CREATE INDEX idempotency_records_created_at_idx ON idempotency_records (created_at)",
)

FILTERED = "INCLUDE (segment, region, cs_owner)"

INDEXES = (
    "CREATE UNIQUE INDEX accounts_name_filtered_key ON accounts (name)"
    " INCLUDE (id, segment, region, cs_owner)",
    "ALTER TABLE accounts DROP CONSTRAINT accounts_name_key",
    "ALTER TABLE accounts ADD CONSTRAINT accounts_name_key"
    " UNIQUE USING INDEX accounts_name_filtered_key",
    f"CREATE INDEX accounts_arr_idx ON accounts (arr, id) {FILTERED}",
    f"CREATE INDEX accounts_renewal_date_idx ON accounts (renewal_date, id) {FILTERED}",
    # many accounts renew on one day, so that sorting them by id would be slow
    f"CREATE INDEX accounts_renewal_date_desc_idx ON accounts (renewal_date DESC, id) {FILTERED}",
    f"CREATE INDEX accounts_updated_at_idx ON accounts (updated_at, id) {FILTERED}",
    "CREATE INDEX accounts_cs_owner_idx ON accounts (cs_owner, name)"
    " INCLUDE (id, segment, region, arr, renewal_date, updated_at)",
    "CREATE INDEX accounts_segment_region_idx ON accounts (segment, region, name)"
    " INCLUDE (id, cs_owner)",
    "CREATE INDEX account_health_score_idx ON account_health (score, account_id)",
    "CREATE INDEX account_health_cs_owner_idx ON account_health (cs_owner, score, account_id)",
    "CREATE INDEX account_health_risk_idx"
    " ON account_health ((arr::double precision * (100 - score)))"
    " INCLUDE (account_id, renewal_date) WHERE bucket IN ('Amber', 'Red')",
    "CREATE INDEX health_snapshots_calculated_at_idx"
    " ON health_snapshots (calculated_at, account_id) INCLUDE (score)",
    "ALTER TABLE accounts ALTER COLUMN updated_at SET DEFAULT clock_timestamp()",
    # the sum of thirty values must not overflow
    "ALTER TABLE account_metrics_daily DROP CONSTRAINT account_metrics_daily_avg_session_min_valid,"
    " ADD CONSTRAINT account_metrics_daily_avg_session_min_valid"
    " CHECK (avg_session_min BETWEEN 0 AND 1000000)",
)


def upgrade() -> None:
    for statement in (
        *COPIES,
        *SEARCH,
        *FOLLOW_ACCOUNTS,
        *(statement for name in ROLLUPS for statement in _table(name)),
        _count(f"SELECT 1 AS sign, {READ} FROM account_health", "false"),
        *(statement for event in EVENTS for statement in _roll_up(event)),
        COMPACT,
        *EMPTY,
        MOVERS,
        *IDEMPOTENCY,
        *INDEXES,
    ):
        op.execute(statement)


def downgrade() -> None:
    functions = (
        "follow_accounts",
        "remove_account_health",
        "fold_portfolio",
        "empty_portfolio",
        *(f"roll_up_{event.lower()}" for event in EVENTS),
    )
    for statement in (
        f"DROP FUNCTION {', '.join(functions)} CASCADE",
        "DROP VIEW account_facts",
        """
        CREATE OR REPLACE FUNCTION add_account_health() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO account_health (account_id) SELECT id FROM added;
            RETURN NULL;
        END
        $$
        """,
        f"DROP TABLE account_names, computed_movers, idempotency_records, {', '.join(ROLLUPS)}",
        "DROP EXTENSION pg_trgm",
        "ALTER TABLE account_health RESET (fillfactor),"
        f" {', '.join(f'DROP COLUMN {name}' for name in COPIED)},"
        " ADD FOREIGN KEY (account_id) REFERENCES accounts ON DELETE CASCADE",
        "DROP INDEX account_health_score_idx, health_snapshots_calculated_at_idx, accounts_arr_idx,"
        " accounts_renewal_date_idx",
        "DROP INDEX accounts_renewal_date_desc_idx, accounts_updated_at_idx, accounts_cs_owner_idx,"
        " accounts_segment_region_idx",
        "ALTER TABLE account_metrics_daily"
        " DROP CONSTRAINT account_metrics_daily_avg_session_min_valid,"
        " ADD CONSTRAINT account_metrics_daily_avg_session_min_valid"
        " CHECK (avg_session_min >= 0 AND avg_session_min < 'Infinity')",
        "ALTER TABLE accounts DROP CONSTRAINT accounts_name_key,"
        " ADD CONSTRAINT accounts_name_key UNIQUE (name),"
        " ALTER COLUMN updated_at SET DEFAULT now()",
    ):
        op.execute(statement)
