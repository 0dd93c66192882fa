"""The kinds of sample accounts, by how their measures developed in half a year."""

from random import Random
from typing import Final, NamedTuple

from service.schema.limits import RenewalRisk, Segment

Span = tuple[float, float]
"""Two numbers: the values at the start and the end, or the bounds of a random number."""


class Story(NamedTuple):
    """A kind of account; `weight` is its percentage of all accounts.

    The spans from `seat_use` to `nps` are values half a year ago and now; the others are the bounds
    of random numbers. `measured` is False for accounts of which hardly anything is known.
    """

    weight: int
    seat_use: Span
    feature: Span
    weekly: Span
    minutes: Span
    tickets: Span
    critical: Span
    breaches: Span
    nps: Span
    time_to_value: Span
    review_age: Span
    renewal_in: Span
    opportunity: Span
    risk: RenewalRisk | None
    onboarding: bool = False
    measured: bool = True


STORIES: Final = (
    Story(20, (0.82, 0.96), (0.6, 0.85), (0.7, 0.9), (28, 37), (4, 2), (1, 0), (0, 0), (45, 70),
          (8, 30), (3, 45), (60, 365), (0.05, 0.5), "Low"),
    Story(28, (0.7, 0.72), (0.5, 0.55), (0.58, 0.6), (22, 24), (7, 7), (1, 1), (0, 0), (20, 30),
          (20, 45), (20, 80), (30, 365), (0, 0.15), "Low"),
    Story(15, (0.4, 0.8), (0.2, 0.65), (0.3, 0.7), (12, 28), (9, 5), (2, 0), (1, 0), (0, 45),
          (15, 40), (10, 50), (90, 365), (0.05, 0.3), "Low"),
    Story(15, (0.85, 0.5), (0.6, 0.35), (0.7, 0.4), (30, 14), (4, 13), (0, 2), (0, 1), (40, -5),
          (15, 50), (50, 110), (30, 240), (0, 0.05), "Medium"),
    Story(11, (0.55, 0.3), (0.35, 0.15), (0.4, 0.2), (15, 8), (12, 22), (2, 4), (1, 2), (0, -45),
          (40, 90), (80, 170), (3, 60), (0, 0), "High"),
    Story(7, (0.1, 0.55), (0.05, 0.35), (0.15, 0.5), (8, 20), (14, 8), (2, 1), (1, 0), (0, 25),
          (32, 75), (5, 30), (180, 365), (0, 0.1), "Medium", onboarding=True),
    Story(4, (0.4, 0.4), (0.2, 0.2), (0.3, 0.3), (10, 10), (3, 3), (0, 0), (0, 0), (0, 0),
          (30, 60), (200, 300), (20, 300), (0, 0), None, measured=False),
)  # fmt: skip
"""Champions, steady, growing, declining, at risk, in onboarding, and not measured."""


class Size(NamedTuple):
    """A size of customers; `weight` is its percentage, `arr` and `seats` are bounds."""

    segment: Segment
    weight: int
    arr: Span
    seats: Span


SIZES: Final = (
    Size("SMB", 50, (6_000, 48_000), (6, 80)),
    Size("Mid-Market", 33, (50_000, 240_000), (80, 500)),
    Size("Enterprise", 17, (260_000, 2_400_000), (500, 6_000)),
)


def draw_story(draw: Random) -> Story:
    return draw.choices(STORIES, weights=[story.weight for story in STORIES])[0]


def draw_size(draw: Random) -> Size:
    return draw.choices(SIZES, weights=[size.weight for size in SIZES])[0]
