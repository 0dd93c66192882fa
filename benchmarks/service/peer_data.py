"""The same accounts in the peer's tables. It knows no unknown numbers: those become zero there, as its own import makes them."""

import json
import tempfile

from psycopg2.extensions import connection, cursor

_FACTORS = json.dumps([
    {"factor": factor, "impact": impact}
    for factor, impact in {
        "Promoter NPS": 12.1, "Fast time to value": 9.5, "Low feature adoption": -7.2, "Overdue QBR": -4.4, "Moderate user adoption": 3.3,
    }.items()
])  # fmt: skip
"""As it keeps them of a snapshot."""

_BUCKET = "upper(coalesce({}, 'Red'))"

TABLES = {
    "accounts": f"""
        SELECT id, name, arr, CASE segment WHEN 'Mid-Market' THEN 'MM' WHEN 'Enterprise' THEN 'ENT' ELSE segment END AS segment,
            industry, region, renewal_date, cs_owner, coalesce(active_users, 0) AS active_users,
            coalesce(seats_purchased, 1) AS seats_purchased, coalesce(feature_x_adoption, 0) AS feature_x_adoption,
            coalesce(weekly_active_pct, 0) AS weekly_active_pct, time_to_value_days, coalesce(tickets_last_30d, 0) AS tickets_last_30d,
            coalesce(critical_tickets_90d, 0) AS critical_tickets_90d, coalesce(sla_breaches_90d, 0) AS sla_breaches_90d, nps,
            qbr_last_date, coalesce(onboarding_phase, false) AS onboarding_phase, expansion_oppty_dollar,
            CASE renewal_risk WHEN 'Medium' THEN 'MED' ELSE upper(renewal_risk) END AS renewal_risk,
            coalesce(score, 0) AS health_score, {_BUCKET.format("bucket")} AS health_bucket,
            created_at AT TIME ZONE 'UTC' AS created_at, updated_at AT TIME ZONE 'UTC' AS updated_at
        FROM accounts JOIN (SELECT account_id, score, bucket FROM account_health) health ON account_id = id WHERE id <= {{most}}
    """,
    "account_metrics_daily": """
        SELECT account_id, date, logins, events, feature_x_events, avg_session_min, errors, ticket_backlog
        FROM account_metrics_daily WHERE account_id <= {most}
    """,
    "health_snapshots": f"""
        SELECT account_id, calculated_at AT TIME ZONE 'UTC' AS calculated_at, coalesce(score, 0) AS score,
            {_BUCKET.format("risk_label")} AS risk_label, '{_FACTORS}' AS top_factors
        FROM health_snapshots WHERE account_id <= {{most}}
    """,
}
"""What goes into each of its tables, in the order of their references."""


def load(ours: connection, theirs: connection, most: int) -> None:
    """Puts the accounts up to that id into the peer's database, instead of those of an earlier measurement."""
    with ours.cursor() as source, theirs.cursor() as target:
        _only_measured(target)
        target.execute(f"TRUNCATE {', '.join(TABLES)} RESTART IDENTITY")
        for table, query in TABLES.items():
            chosen = query.replace("{most}", str(most))
            source.execute(f"SELECT * FROM ({chosen}) t LIMIT 0")
            columns = ", ".join(column.name for column in source.description or ())
            with tempfile.TemporaryFile() as file:
                source.copy_expert(f"COPY ({chosen}) TO STDOUT", file)
                file.seek(0)
                target.copy_expert(f"COPY {table} ({columns}) FROM STDIN", file)
        target.execute(
            "SELECT setval(pg_get_serial_sequence('accounts', 'id'), max(id)) FROM accounts"
        )
        target.execute("VACUUM ANALYZE")


def _only_measured(target: cursor) -> None:
    """Raises SystemExit rather than delete what a measurement has not put there."""
    target.execute("SELECT to_regclass('accounts') IS NULL")
    if target.fetchone() == (True,):
        raise SystemExit(
            "The database at PEER_DSN has no table accounts: the peer makes its tables when it starts with it"
        )
    target.execute(
        "SELECT count(*) FROM accounts WHERE name !~ '^([A-Z][a-z]+ ){3}[0-9]{7}$' AND name NOT LIKE 'Invented Customer %'"
    )
    if target.fetchone() != (0,):
        raise SystemExit(
            "The database at PEER_DSN holds accounts of its own, which measuring would delete: give the peer an empty one"
        )
