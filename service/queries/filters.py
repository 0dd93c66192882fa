"""Translates the filters of a request to SQL conditions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import isfinite
from typing import Any

from service.schema.limits import SEGMENTS
from service.scoring.rules import BUCKETS, UNSCORED, first_above

Conditions = tuple[list[str], dict[str, Any]]
"""SQL conditions, which all have to hold, and their parameters."""


@dataclass(frozen=True, kw_only=True)
class Filter:
    """The accounts that a request selects.

    All given fields have to match; one with several values matches any of them. `today` is the day
    that `renewal_within_days` counts from.
    """

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

    def of_accounts(
        self, table: str, *, name: str = "n.name_lower", unscored: bool | None = None
    ) -> Conditions:
        """The conditions on single accounts.

        `table` is the alias that segment, region, owner, industry and renewal are read from: `a`
        (accounts) or `h` (their health), which both have these columns. The score is always read
        from `h`. `name` is an expression of the name in lower case. `unscored` says that the caller
        selects accounts without a score (True) or with one (False) by a condition of its own.
        """
        found, values = self._shared_conditions(table)
        if self.name_contains is not None:
            found.append(f"{name} LIKE lower(%(pattern)s)")
            values["pattern"] = f"%{_escaped(self.name_contains)}%"
        if self.buckets and unscored is not True:
            found.append(f"({' OR '.join(_score_ranges(self.buckets, unscored is None))})")
        if self.min_score is not None:
            found.append("h.score >= %(min_score)s")
            values["min_score"] = self.min_score
        if self.max_score is not None:
            found.append("h.score <= %(max_score)s")
            values["max_score"] = self.max_score
        return found, values

    def of_rollup(self) -> Conditions:
        """The conditions on the rows of a rollup `r`, which has buckets but no scores or names."""
        found, values = self._shared_conditions("r")
        if self.buckets:
            values["buckets"] = [bucket for bucket in self.buckets if bucket != UNSCORED]
            unscored = " OR r.bucket IS NULL" if UNSCORED in self.buckets else ""
            found.append(f"(r.bucket = ANY(%(buckets)s){unscored})")
        return found, values

    def _shared_conditions(self, table: str) -> Conditions:
        """The conditions on columns that accounts, health rows and rollups have in common."""
        # A region alone names all segments too: the index begins with the segment, and PostgreSQL
        # can use it only with a condition on its first column.
        segments = self.segments or (SEGMENTS if self.regions and not self.owners else ())
        wanted = {
            "segment": segments,
            "region": self.regions,
            "cs_owner": self.owners,
            "industry": self.industries,
        }
        found: list[str] = []
        values: dict[str, Any] = {}
        for column, allowed in wanted.items():
            if len(allowed) == 1:  # an index keeps its order after `=`, but not after `= ANY`
                found.append(f"{table}.{column} = %({column})s")
                values[column] = allowed[0]
            elif allowed:
                found.append(f"{table}.{column} = ANY(%({column})s)")
                values[column] = list(allowed)
        if self.renewal_within_days is not None:
            found.append(f"{table}.renewal_date BETWEEN %(today)s AND %(until)s")
            values |= {
                "today": self.today,
                "until": self.today + timedelta(days=self.renewal_within_days),
            }
        return found, values

    @property
    def selects_all(self) -> bool:
        return (
            not self.of_rollup()[0]
            and self.name_contains is None
            and self.min_score is None
            and self.max_score is None
        )

    @property
    def needs_health(self) -> bool:
        """Whether a condition is on the score, which only health rows have."""
        return bool(self.buckets) or self.min_score is not None or self.max_score is not None


def where(conditions: Sequence[str]) -> str:
    return f"WHERE {' AND '.join(conditions)}" if conditions else ""


def _score_ranges(buckets: Sequence[str], unscored: bool) -> list[str]:
    """Conditions on the score, which is indexed, instead of the bucket, which is not.

    Neighbouring buckets become one range: Amber and Green are `h.score >= 50`. `unscored` says
    whether the bucket of accounts without a score needs a condition.
    """
    ranges: list[tuple[float, float]] = []
    for name, lowest in reversed(BUCKETS):  # from the worst bucket to the best
        if name in buckets:
            start = ranges.pop()[0] if ranges and ranges[-1][1] == lowest else lowest
            ranges.append((start, first_above(name)))
    conditions = [
        f"h.score >= {low}" + (f" AND h.score < {high}" if isfinite(high) else "")
        for low, high in ranges
    ]
    return [*conditions, *(["h.score IS NULL"] if unscored and UNSCORED in buckets else [])]


def _escaped(text: str) -> str:
    """The pattern that LIKE matches `text` itself with."""
    return text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
