"""The columns of an account and of its daily metrics: the one table that others are built from.

From `ACCOUNT_COLUMNS` follow the database's table and constraints (`service.schema.tables`), the
bodies of requests (`requests`), the documented responses (`responses`), and the columns of CSV
files to import and export. `service.queries.accounts` repeats the names in its SELECT list, so that
a cold start does not import this module; tests/service/test_columns.py compares them.
"""

from typing import Any, Final, Literal, NamedTuple

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
"""Dollars have two decimals. Ratios are from 0 to 1. A number is finite and within its limits. A
date has a year of four digits."""


class Column(NamedTuple):
    """A column that clients can write.

    least, most: the inclusive limits of a number, or of the length of a text in characters.
    required: the value is never unknown.
    default: the value when none is given; None means unknown, which is not zero.
    example: a value for the OpenAPI document, as JSON has it.
    """

    name: str
    kind: Kind
    least: int = 0
    most: int = 0
    choices: tuple[str, ...] = ()
    required: bool = False
    default: int | None = None
    example: Any = None

    @property
    def nullable(self) -> bool:
        return not self.required and self.default is None


def _text(name: str, most: int, example: str, *, required: bool = False) -> Column:
    return Column(name, "text", 1, most, required=required, example=example)


def _count(name: str, example: int, *, least: int = 0) -> Column:
    return Column(name, "integer", least, INT4_MAX, example=example)


ACCOUNT_COLUMNS: Final = (
    _text("name", NAME_LENGTH, "Alder Ridge Logistics, Tampere", required=True),
    _text("external_id", EXTERNAL_ID_LENGTH, "001Qy00000ABCDE"),
    Column("arr", "dollars", 0, MAX_DOLLARS, required=True, example=120000),
    Column("segment", "choice", choices=SEGMENTS, required=True, example="Mid-Market"),
    _text("industry", INDUSTRY_LENGTH, "Logistics"),
    _text("region", REGION_LENGTH, "EMEA"),
    _text("cs_owner", OWNER_LENGTH, "Robin Vale"),
    Column("renewal_date", "date", example="2027-01-31"),
    Column("qbr_last_date", "date", example="2026-10-24"),
    _count("active_users", 80),
    _count("seats_purchased", 100, least=1),
    Column("feature_x_adoption", "ratio", 0, 1, example=0.5),
    Column("weekly_active_pct", "ratio", 0, 1, example=0.6),
    _count("time_to_value_days", 30),
    _count("tickets_last_30d", 3),
    _count("critical_tickets_90d", 1),
    _count("sla_breaches_90d", 0),
    Column("nps", "integer", NPS_WORST, NPS_BEST, example=40),
    Column("onboarding_phase", "flag", example=False),
    Column("expansion_oppty_dollar", "dollars", 0, MAX_DOLLARS, default=0, example=0),
    Column("renewal_risk", "choice", choices=RENEWAL_RISKS, example="Low"),
)

DAY_COLUMNS: Final = (
    Column("date", "date", required=True, example="2026-11-22"),
    _count("logins", 41),
    _count("events", 480),
    _count("feature_x_events", 120),
    _count("errors", 2),
    _count("ticket_backlog", 1),
    Column("avg_session_min", "number", 0, MAX_SESSION_MINUTES, example=24.5),
)
"""The metrics of an account on one day."""

DERIVED_COLUMNS: Final = (
    "id",
    "health_score",
    "health_bucket",
    "health_coverage",
    "created_at",
    "updated_at",
)
"""Of an account, computed by the service: in responses, and ignored in files to import."""
