"""Accounts, one or a page of them, as JSON that PostgreSQL writes itself."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final, Literal, NamedTuple, get_args

from service.db import Database
from service.queries.numbers import parse_numbers
from service.scoring.factors import factors, weightiest
from service.scoring.rules import UNSCORED

Sort = Literal[
    "name", "-name", "arr", "-arr", "health_score", "-health_score", "renewal_date", "-renewal_date", "updated_at", "-updated_at"
]
SORTS: Final[tuple[Sort, ...]] = get_args(Sort)
DEFAULT_SORT: Final = "name"

_SORT_COLUMNS: Final = {
    "name": "a.name",
    "arr": "a.arr",
    "health_score": "h.score",
    "renewal_date": "a.renewal_date",
    "updated_at": "a.updated_at",
}

_ISO_MOMENT: Final = """'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'"""

_ACCOUNT: Final = f"""
        a.id, a.name, trim_scale(a.arr) AS arr, a.segment, a.industry, a.region, a.cs_owner, a.renewal_date, a.qbr_last_date,
        a.active_users, a.seats_purchased, a.feature_x_adoption, a.weekly_active_pct, a.time_to_value_days, a.tickets_last_30d,
        a.critical_tickets_90d, a.sla_breaches_90d, a.nps, a.onboarding_phase,
        trim_scale(a.expansion_oppty_dollar) AS expansion_oppty_dollar, a.renewal_risk,
        round(h.score::numeric, 1) AS health_score, h.bucket AS health_bucket, h.coverage AS health_coverage,
        to_char(a.created_at AT TIME ZONE 'UTC', {_ISO_MOMENT}) AS created_at,
        to_char(a.updated_at AT TIME ZONE 'UTC', {_ISO_MOMENT}) AS updated_at
"""
"""The columns of an account, in the order of its JSON."""

_ROW: Final = "".join([
    "(SELECT row_to_json(account)::text FROM (SELECT", _ACCOUNT, ") account),",
    "h.component_values::text, h.component_points::text, h.adjustments::text",
])  # fmt: skip

_BOTH: Final = "accounts a JOIN account_health h ON h.account_id = a.id"


class Page(NamedTuple):
    """`accounts` is a JSON array."""

    total: int
    accounts: str


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which accounts: all conditions hold at once, of several values of one any. `today` is what days count from."""

    today: date
    segments: Sequence[str] = ()
    buckets: Sequence[str] = ()
    regions: Sequence[str] = ()
    owners: Sequence[str] = ()
    industries: Sequence[str] = ()
    name_contains: str | None = None
    renewal_within_days: int | None = None
    min_score: float | None = None
    max_score: float | None = None

    def conditions(self) -> tuple[list[str], dict[str, Any]]:
        """SQL on `a` and `h`, and its parameters."""
        found: list[str] = []
        values: dict[str, Any] = {}
        for column, wanted in (
            ("a.segment", self.segments),
            ("a.region", self.regions),
            ("a.cs_owner", self.owners),
            ("a.industry", self.industries),
        ):
            if wanted:
                found.append(f"{column} = ANY(%({column})s)")
                values[column] = list(wanted)
        if self.buckets:
            scored = [bucket for bucket in self.buckets if bucket != UNSCORED]
            any_of = ["h.bucket = ANY(%(buckets)s)"] if scored else []
            any_of += ["h.bucket IS NULL"] if UNSCORED in self.buckets else []
            found.append(f"({' OR '.join(any_of)})")
            values["buckets"] = scored
        if self.name_contains is not None:
            found.append("a.name ILIKE %(pattern)s")
            values["pattern"] = f"%{_escaped(self.name_contains)}%"
        if self.renewal_within_days is not None:
            found.append("a.renewal_date BETWEEN %(today)s AND %(until)s")
            values |= {"today": self.today, "until": self.today + timedelta(days=self.renewal_within_days)}
        if self.min_score is not None:
            found.append("h.score >= %(min_score)s")
            values["min_score"] = self.min_score
        if self.max_score is not None:
            found.append("h.score <= %(max_score)s")
            values["max_score"] = self.max_score
        return found, values


def find(database: Database, account_id: int) -> str | None:
    """The account as a JSON object with all of its factors, or None."""
    rows = database.read(" ".join(["SELECT", _ROW, "FROM", _BOTH, "WHERE a.id = %(id)s"]), {"id": account_id})
    return _with_factors(*rows[0], all_factors=True) if rows else None


def page(database: Database, wanted: Filter, *, sort: Sort, number: int, size: int) -> Page:
    """Page `number` (from 1) and the exact total, of one snapshot. Unknown values come last in either direction, equal ones by id."""
    conditions, parameters = wanted.conditions()
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    counted = _BOTH if "h." in where else "accounts a"
    order = f"ORDER BY {_SORT_COLUMNS[sort.removeprefix('-')]} {'DESC' if sort.startswith('-') else 'ASC'} NULLS LAST, a.id"
    statement = " ".join([
        "SELECT matching.total, a.id,", _ROW,
        "FROM (SELECT count(*) AS total FROM", counted, where, ") matching",
        "LEFT JOIN (SELECT a.id FROM", _BOTH, where, order, "LIMIT %(size)s OFFSET %(skip)s) chosen ON true",
        "LEFT JOIN accounts a ON a.id = chosen.id LEFT JOIN account_health h ON h.account_id = a.id",
        order,
    ])  # fmt: skip
    rows = database.read(statement, {**parameters, "size": size, "skip": (number - 1) * size})
    accounts = ",".join(_with_factors(*row, all_factors=False) for _, account_id, *row in rows if account_id is not None)
    return Page(total=rows[0][0], accounts=f"[{accounts}]")


def _with_factors(account: str, values: str, points: str, adjustments: str, *, all_factors: bool) -> str:
    found = factors(parse_numbers(values), parse_numbers(points), [number or 0.0 for number in parse_numbers(adjustments)])
    shown = [factor._asdict() for factor in (found if all_factors else weightiest(found))]
    return f'{account[:-1]},"latest_health_factors":{json.dumps(shown, separators=(",", ":"))}}}'


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
