"""The score's one table of constants: components, adjustments, buckets. Nothing else holds a number of the score.

Stored scores keep their numbers in the order of `COMPONENTS` and `ADJUSTMENTS`: append to them, never reorder.
"""

from typing import Final, Literal, NamedTuple, get_args

Bucket = Literal["Green", "Amber", "Red"]
BucketOrNone = Literal["Green", "Amber", "Red", "Unscored"]
"""`Unscored` stands for no bucket, in maps and filters."""


class Component(NamedTuple):
    """One part of the score: `max` points at `best`, none at `worst`, linear between them and clamped to them."""

    code: str
    label: str
    group: str
    max: int
    best: float
    worst: float
    unit: str


class Adjustment(NamedTuple):
    """What is added to the weighted components, as a factor of its own."""

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
"""Points for an opportunity as large as the ARR."""

RENEWAL_PENALTY: Final = -5.0
RENEWAL_WINDOW_DAYS: Final = 60
RENEWAL_SEAT_USE: Final = 0.5
"""Below this use of the seats a near renewal weighs on the score."""

ONBOARDING_DAYS: Final = 30
"""Days of time to value after which an onboarding that goes on is late."""

SESSION_ROWS: Final = 30
"""Daily rows, the newest ones, whose minutes are averaged."""

SCORE_MIN: Final = 0.0
SCORE_MAX: Final = 100.0
COVERAGE_MIN: Final = 0.3
"""Below it too little is known for a score."""

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
