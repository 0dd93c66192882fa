"""The columns that clients give of an account and of one of its days: one home for files, requests and the database's checks."""

from typing import Final, Literal, NamedTuple

from service.schema.limits import (
    EXTERNAL_ID_LENGTH,
    INDUSTRY_LENGTH,
    INT4_MAX,
    MAX_DOLLARS,
    MAX_SESSION_MINUTES,
    NAME_LENGTH,
    NPS_BEST,
    NPS_WORST,
    OWNER_LENGTH,
    REGION_LENGTH,
    RENEWAL_RISKS,
    SEGMENTS,
)

Kind = Literal["text", "choice", "dollars", "integer", "ratio", "number", "date", "flag"]
"""Dollars have two decimals; ratios are 0..1; a number is any finite one within its bounds; a date has a year of four digits."""


class Column(NamedTuple):
    """`least` and `most` bound a number, or the length of a text in characters, both included. `required`: never unknown.

    `default` is what stands for a value that is not given; None is unknown, which is not zero.
    """

    name: str
    kind: Kind
    least: int = 0
    most: int = 0
    choices: tuple[str, ...] = ()
    required: bool = False
    default: int | None = None


def _text(name: str, most: int, *, required: bool = False) -> Column:
    return Column(name, "text", 1, most, required=required)


def _count(name: str, least: int = 0) -> Column:
    return Column(name, "integer", least, INT4_MAX)


ACCOUNT_COLUMNS: Final = (
    _text("name", NAME_LENGTH, required=True),
    _text("external_id", EXTERNAL_ID_LENGTH),
    Column("arr", "dollars", 0, MAX_DOLLARS, required=True),
    Column("segment", "choice", choices=SEGMENTS, required=True),
    _text("industry", INDUSTRY_LENGTH),
    _text("region", REGION_LENGTH),
    _text("cs_owner", OWNER_LENGTH),
    Column("renewal_date", "date"),
    Column("qbr_last_date", "date"),
    _count("active_users"),
    _count("seats_purchased", 1),
    Column("feature_x_adoption", "ratio", 0, 1),
    Column("weekly_active_pct", "ratio", 0, 1),
    _count("time_to_value_days"),
    _count("tickets_last_30d"),
    _count("critical_tickets_90d"),
    _count("sla_breaches_90d"),
    Column("nps", "integer", NPS_WORST, NPS_BEST),
    Column("onboarding_phase", "flag"),
    Column("expansion_oppty_dollar", "dollars", 0, MAX_DOLLARS, default=0),
    Column("renewal_risk", "choice", choices=RENEWAL_RISKS),
)

DAY_COLUMNS: Final = (
    Column("date", "date", required=True),
    _count("logins"),
    _count("events"),
    _count("feature_x_events"),
    _count("errors"),
    _count("ticket_backlog"),
    Column("avg_session_min", "number", 0, MAX_SESSION_MINUTES),
)
"""Of one account on one day."""

DERIVED_COLUMNS: Final = (
    "id",
    "health_score",
    "health_bucket",
    "health_coverage",
    "created_at",
    "updated_at",
)
"""Of an account, made by the service: shown, never given."""
