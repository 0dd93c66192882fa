"""Which accounts a request is about, as SQL."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import isfinite
from typing import Any

from service.schema.limits import SEGMENTS
from service.scoring.rules import BUCKETS, UNSCORED, first_above

Conditions = tuple[list[str], dict[str, Any]]


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

    def of_accounts(
        self, table: str, *, name: str = "n.name_lower", unscored: bool | None = None
    ) -> Conditions:
        """SQL and its parameters. `table` is `a` for accounts or `h` for their health, which know most of this both; the score is always
        asked of `h`, the name of the expression `name`, which is in lower case. `unscored`: for accounts that have no score (True) or
        have one (False) already, by another condition."""
        found, values = self._place(table)
        if self.name_contains is not None:
            found.append(f"{name} LIKE lower(%(pattern)s)")
            values["pattern"] = f"%{_escaped(self.name_contains)}%"
        if self.buckets and unscored is not True:
            found.append(f"({' OR '.join(_scores(self.buckets, unscored=unscored is None))})")
        if self.min_score is not None:
            found.append("h.score >= %(min_score)s")
            values["min_score"] = self.min_score
        if self.max_score is not None:
            found.append("h.score <= %(max_score)s")
            values["max_score"] = self.max_score
        return found, values

    def of_rollup(self) -> Conditions:
        """The same for a rollup, which knows the bucket and neither score nor name."""
        found, values = self._place("r")
        if self.buckets:
            values["buckets"] = [bucket for bucket in self.buckets if bucket != UNSCORED]
            found.append(
                f"(r.bucket = ANY(%(buckets)s){' OR r.bucket IS NULL' if UNSCORED in self.buckets else ''})"
            )
        return found, values

    def _place(self, table: str) -> Conditions:
        """A region alone names every segment too, because segments come first in the index."""
        wanted = {
            "segment": self.segments or (SEGMENTS if self.regions and not self.owners else ()),
            "region": self.regions,
            "cs_owner": self.owners,
            "industry": self.industries,
        }
        found: list[str] = []
        values: dict[str, Any] = {}
        for column, chosen in wanted.items():
            if chosen:  # an equality keeps the order of an index, a list does not
                found.append(
                    f"{table}.{column} = %({column})s"
                    if len(chosen) == 1
                    else f"{table}.{column} = ANY(%({column})s)"
                )
                values[column] = chosen[0] if len(chosen) == 1 else list(chosen)
        if self.renewal_within_days is not None:
            found.append(f"{table}.renewal_date BETWEEN %(today)s AND %(until)s")
            values |= {
                "today": self.today,
                "until": self.today + timedelta(days=self.renewal_within_days),
            }
        return found, values

    @property
    def lets_all_through(self) -> bool:
        return (
            not self.of_rollup()[0]
            and self.name_contains is None
            and self.min_score is None
            and self.max_score is None
        )

    @property
    def needs_health(self) -> bool:
        """Whether it asks for what only the health row knows."""
        return bool(self.buckets) or self.min_score is not None or self.max_score is not None


def where(conditions: Sequence[str]) -> str:
    return f"WHERE {' AND '.join(conditions)}" if conditions else ""


def _scores(buckets: Sequence[str], *, unscored: bool) -> list[str]:
    """Buckets as ranges of the score, neighbours as one: an index holds the score."""
    ranges: list[tuple[float, float]] = []
    for name, lowest in reversed(BUCKETS):
        if name in buckets:
            below = ranges.pop()[0] if ranges and ranges[-1][1] == lowest else lowest
            ranges.append((below, first_above(name)))
    told = [
        f"h.score >= {low}" + (f" AND h.score < {high}" if isfinite(high) else "")
        for low, high in ranges
    ]
    return [*told, *(["h.score IS NULL"] if unscored and UNSCORED in buckets else [])]


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
