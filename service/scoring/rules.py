"""All constants of the score: components, adjustments and buckets.

Stored scores are arrays in the order of `COMPONENTS` and `ADJUSTMENTS`: append to them, never
reorder them.
"""

from typing import Final, Literal, NamedTuple, get_args

Bucket = Literal["Green", "Amber", "Red"]
BucketOrNone = Literal["Green", "Amber", "Red", "Unscored"]
"""`Unscored` is used in maps and filters for accounts without a bucket."""


class Component(NamedTuple):
    """A part of the score: `max` points at `best`, none at `worst`, linear and clamped."""

    code: str
    label: str
    group: str
    max: int
    best: float
    worst: float
    unit: str


class Adjustment(NamedTuple):
    """A number that is added to the sum of the components, with a factor of its own."""

    code: str
    label: str


COMPONENTS: Final = (
    Component("seat_utilisation", "Seat utilisation", "Adoption", 20, 1, 0, "ratio"),
    Component("feature_adoption", "Feature adoption", "Adoption", 10, 1, 0, "ratio"),
    Component("weekly_activity", "Weekly activity", "Adoption", 5, 1, 0, "ratio"),
    Component("session_length", "Session length", "Engagement", 10, 40, 5, "minutes"),
    Component("time_to_value", "Time to value", "Engagement", 10, 7, 90, "days"),
    Component("ticket_volume", "Ticket volume", "Support", 8, 0, 30, "tickets in 30 days"),
    Component("critical_tickets", "Critical tickets", "Support", 8, 0, 5, "tickets in 90 days"),
    Component("sla_breaches", "SLA breaches", "Support", 4, 0, 3, "breaches in 90 days"),
    Component("nps", "Net promoter score", "Advocacy", 15, 100, -100, "points"),
    Component("review_recency", "Business review recency", "Process", 5, 0, 120, "days"),
    Component("onboarding", "Onboarding", "Process", 5, 1, 0, "1 on track, 0 late"),
)

EXPANSION: Final = Adjustment("expansion_opportunity", "Expansion opportunity")
RENEWAL: Final = Adjustment("renewal_pressure", "Renewal pressure")
LIMIT: Final = Adjustment("limit", "Kept within 0 and 100")
ADJUSTMENTS: Final = (EXPANSION, RENEWAL, LIMIT)

EXPANSION_MAX: Final = 10.0
EXPANSION_PER_RATIO: Final = 20.0
"""Points for an opportunity as large as the ARR, before `EXPANSION_MAX` limits them."""

RENEWAL_PENALTY: Final = -5.0
RENEWAL_WINDOW_DAYS: Final = 60
RENEWAL_SEAT_USE: Final = 0.5
"""Seat utilisation below which a near renewal lowers the score."""

ONBOARDING_DAYS: Final = 30
"""Days of time to value after which an account in onboarding is late."""

SESSION_ROWS: Final = 30
"""The number of newest daily rows whose session length is averaged."""

SCORE_MIN: Final = 0.0
SCORE_MAX: Final = 100.0
COVERAGE_MIN: Final = 0.3
"""The coverage below which an account has no score."""

BUCKETS: Final[tuple[tuple[Bucket, float], ...]] = (
    ("Green", 75.0),
    ("Amber", 50.0),
    ("Red", SCORE_MIN),
)
"""Best first, with the lowest score of each."""

UNSCORED: Final = "Unscored"
BUCKET_NAMES: Final[tuple[BucketOrNone, ...]] = get_args(BucketOrNone)


def first_above(bucket: Bucket) -> float:
    """The lowest score of the next better bucket; infinite for the best."""
    better = {name: lowest for (name, _), (_, lowest) in zip(BUCKETS[1:], BUCKETS, strict=False)}
    return better.get(bucket, float("inf"))
