"""Generates accounts, their daily rows and their past scores from a seed."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from math import pi, sin
from random import Random
from typing import Any, Final, NamedTuple

from service.samples import words
from service.samples.stories import Size, Span, Story, draw_size, draw_story
from service.schema.limits import NPS_BEST, NPS_WORST
from service.scoring import Inputs, Score, score
from service.scoring.rules import SESSION_ROWS

DAYS: Final = 180
WEEK: Final = 7
QUARTER: Final = 91
BUSY: Final = (1.0, 1.0, 1.0, 0.95, 0.85, 0.25, 0.2)
"""The activity of a day relative to the busiest one, from Monday to Sunday."""


class Day(NamedTuple):
    date: date
    logins: int
    events: int
    feature_x_events: int
    errors: int
    ticket_backlog: int
    avg_session_min: float | None


class _Use(NamedTuple):
    """The measures of an account on one day, before they are rounded."""

    seats: float
    feature: float
    weekly: float
    minutes: float
    tickets: float
    critical: float
    breaches: float
    nps: float


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A sample account; `today` is the day of the values that `account` returns."""

    name: str
    industry: str
    region: str
    owner: str
    story: Story
    size: Size
    arr: int
    seats: int
    time_to_value: int
    reviewed: date
    renewal: date
    opportunity: int
    phase: float
    seed: str
    today: date

    def account(self) -> dict[str, Any]:
        """Return the values by column; other columns have the default of the table."""
        known = self._inputs(self.today, None)
        return {
            "name": self.name,
            "arr": self.arr,
            "segment": self.size.segment,
            "industry": self.industry,
            "region": self.region,
            "cs_owner": self.owner,
            "renewal_date": self.renewal,
            "qbr_last_date": self.reviewed if self.story.measured else None,
            "active_users": known.active_users,
            "seats_purchased": known.seats_purchased,
            "feature_x_adoption": known.feature_x_adoption,
            "weekly_active_pct": known.weekly_active_pct,
            "time_to_value_days": known.time_to_value_days,
            "tickets_last_30d": known.tickets_last_30d,
            "critical_tickets_90d": known.critical_tickets_90d,
            "sla_breaches_90d": known.sla_breaches_90d,
            "nps": known.nps,
            "onboarding_phase": known.onboarding_phase,
            "expansion_oppty_dollar": self.opportunity,
            "renewal_risk": self.story.risk,
        }

    def days(self) -> list[Day]:
        """Return the daily rows up to yesterday, the oldest first."""
        draw = Random(f"{self.seed}/days").random  # noqa: S311 - samples are no secrets
        days: list[Day] = []
        use = self._use(self.today)
        for ago in range(DAYS, 0, -1):
            then = self.today - timedelta(days=ago)
            if not days or ago % WEEK == 0:
                use = self._use(then)
            days.append(self._day(then, use, draw(), draw()))
        return days

    def past_scores(self, days: list[Day]) -> Iterator[tuple[date, Score]]:
        """Yield a date and the score as of then, for each week but the present one."""
        for ago in range(DAYS - DAYS % WEEK, 0, -WEEK):
            minutes = [
                day.avg_session_min
                for day in days[: DAYS - ago][-SESSION_ROWS:]
                if day.avg_session_min is not None
            ]
            then = self.today - timedelta(days=ago)
            yield then, score(self._inputs(then, sum(minutes) / len(minutes) if minutes else None))

    def _day(self, day: date, use: _Use, busy: float, trouble: float) -> Day:
        logins = round(
            self.seats * use.seats * use.weekly * BUSY[day.weekday()] * (0.85 + 0.3 * busy)
        )
        events = round(logins * (8 + 8 * busy))
        return Day(
            date=day,
            logins=logins,
            events=events,
            feature_x_events=round(events * use.feature * (0.4 + 0.2 * busy)),
            errors=round(events * 0.004 * trouble),
            ticket_backlog=round(use.tickets * (0.1 + 0.3 * trouble)),
            avg_session_min=round(use.minutes * (0.85 + 0.3 * busy), 1)
            if self.story.measured
            else None,
        )

    def _inputs(self, day: date, minutes: float | None) -> Inputs:
        use = self._use(day)
        support = Inputs(
            arr=self.arr,
            tickets_last_30d=round(use.tickets),
            critical_tickets_90d=round(use.critical),
            sla_breaches_90d=round(use.breaches),
        )
        if not self.story.measured:
            return support
        return support._replace(
            seats_purchased=self.seats,
            active_users=round(self.seats * use.seats),
            feature_x_adoption=round(use.feature, 3),
            weekly_active_pct=round(use.weekly, 3),
            session_minutes=minutes,
            time_to_value_days=self.time_to_value,
            nps=round(use.nps),
            days_since_review=(day - self.reviewed).days
            if day >= self.reviewed
            else (day - self.reviewed).days % QUARTER,
            onboarding_phase=self.story.onboarding,
            days_to_renewal=(self.renewal - day).days,
            expansion_oppty_dollar=self.opportunity,
        )

    def _use(self, day: date) -> _Use:
        """Interpolate from the start of the story to its end, with a wave of the account's own."""
        time = 1 - (self.today - day).days / DAYS
        share = time * time * (3 - 2 * time)
        wave = 0.06 * sin(2 * pi * (2.3 * time + self.phase))

        def level(span: Span, lowest: float, highest: float) -> float:
            return min(max((span[0] + (span[1] - span[0]) * share) * (1 + wave), lowest), highest)

        story = self.story
        return _Use(
            seats=level(story.seat_use, 0, 1.1),
            feature=level(story.feature, 0, 1),
            weekly=level(story.weekly, 0, 1),
            minutes=level(story.minutes, 0, 90),
            tickets=level(story.tickets, 0, 60),
            critical=level(story.critical, 0, 12),
            breaches=level(story.breaches, 0, 8),
            nps=level(story.nps, NPS_WORST, NPS_BEST),
        )


def generate(seed: int, count: int, today: date) -> list[Sample]:
    """Return the first `count` accounts of a seed. Their names are distinct."""
    samples: list[Sample] = []
    taken: set[str] = set()
    for index in range(count):
        sample = _sample(f"{seed}/{index}", taken, today)
        taken.add(sample.name)
        samples.append(sample)
    return samples


def _sample(seed: str, taken: set[str], today: date) -> Sample:
    draw = Random(seed)  # noqa: S311 - samples are no secrets
    name, industry = words.company(draw)
    while name in taken:
        name, industry = words.company(draw)
    story, size = draw_story(draw), draw_size(draw)
    arr = round(draw.uniform(*size.arr), -2)
    return Sample(
        name=name,
        industry=industry,
        region=draw.choice(words.REGIONS),
        owner=draw.choice(words.OWNERS),
        story=story,
        size=size,
        arr=int(arr),
        seats=round(draw.uniform(*size.seats)),
        time_to_value=round(draw.uniform(*story.time_to_value)),
        reviewed=today - timedelta(days=round(draw.uniform(*story.review_age))),
        renewal=today + timedelta(days=round(draw.uniform(*story.renewal_in))),
        opportunity=int(round(arr * draw.uniform(*story.opportunity), -2)),
        phase=draw.random(),
        seed=seed,
        today=today,
    )
