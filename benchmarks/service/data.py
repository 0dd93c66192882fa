"""Generates accounts and their days as rows in the text format of COPY.

The same count, seed and day give the same rows. ARR, industries and health are skewed as those of
real portfolios: few large accounts, most of them healthy, some neglected, some with little data.
"""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from math import exp
from random import Random

from benchmarks.csv_files import INDUSTRIES, REGIONS

ACCOUNT = (
    *("id", "name", "arr", "segment", "industry", "region", "cs_owner", "renewal_date"),
    *("qbr_last_date", "active_users", "seats_purchased", "feature_x_adoption"),
    *("weekly_active_pct", "time_to_value_days", "tickets_last_30d", "critical_tickets_90d"),
    *("sla_breaches_90d", "nps", "onboarding_phase", "expansion_oppty_dollar"),
    *("renewal_risk", "created_at", "updated_at"),
)
DAY = (
    "account_id",
    "date",
    "logins",
    "events",
    "feature_x_events",
    "errors",
    "ticket_backlog",
    "avg_session_min",
)
DAYS = 90
SEED = 20_261

SEGMENTS = {"SMB": (50, 1), "Mid-Market": (33, 4), "Enterprise": (17, 15)}
"""Share in per cent, and the factor of their ARR."""

FIRST = (
    "Alder", "Birch", "Cedar", "Dogwood", "Elm", "Fir", "Ginkgo", "Hazel", "Ivy", "Juniper",
    "Katsura", "Larch", "Maple", "Nutmeg", "Oak", "Poplar", "Rowan", "Spruce", "Tamarack", "Willow",
)  # fmt: skip
SECOND = (
    "Harbor",
    "Summit",
    "Valley",
    "Ridge",
    "Prairie",
    "Canyon",
    "Delta",
    "Meadow",
    "Orchard",
    "Lagoon",
)
KIND = ("Systems", "Foods", "Mobility", "Labs", "Partners")
RARE, FIVE_PER_CENT, LATE_FIVE_PER_CENT, TWENTY_PER_CENT = "Quixote", "Cedar", "Willow", "Mobility"
"""LATE_FIVE_PER_CENT is the first word of the names that sort last."""
RARE_EVERY = 5000


def owners(accounts: int) -> int:
    return 50 if accounts <= 10_000 else 200 if accounts <= 100_000 else 1000


def owner(number: int) -> str:
    return f"Owner {number:04}"


def accounts(count: int, today: date) -> Iterator[str]:
    """Yields one line for each account, with ids from 1."""
    draw = Random(SEED)
    people = owners(count)
    for number in range(1, count + 1):
        yield _account(draw, number, people, today)


def days(count: int, today: date) -> Iterator[str]:
    """Yields `DAYS` lines for each account, up to yesterday."""
    draw = Random(SEED + 1).random
    dates = [str(today - timedelta(days=ago)) for ago in range(DAYS, 0, -1)]
    for account in range(1, count + 1):
        busy, minutes = 1 + int(400 * draw() ** 3), 4 + 40 * draw()
        for day in dates:
            logins = int(busy * (0.5 + draw()))
            errors, backlog = int(3 * draw()), int(8 * draw())
            session = f"{minutes * (0.8 + 0.4 * draw()):.1f}"
            row = (account, day, logins, logins * 11, logins * 4, errors, backlog, session)
            yield "\t".join(map(str, row)) + "\n"


def _account(draw: Random, number: int, people: int, today: date) -> str:
    chance = draw.random
    health = min(1.0, max(0.0, draw.gauss(0.66, 0.23)))
    segment = draw.choices(tuple(SEGMENTS), tuple(share for share, _ in SEGMENTS.values()))[0]
    arr = min(5e7, exp(draw.gauss(9.6, 0.9)) * SEGMENTS[segment][1])
    second = RARE if number % RARE_EVERY == 17 else SECOND[int(chance() * len(SECOND))]
    first, kind = FIRST[int(chance() * len(FIRST))], KIND[int(chance() * len(KIND))]
    name = f"{first} {second} {kind} {number:07}"
    renewal = today + timedelta(days=int(730 * chance()))
    changed = datetime.combine(today, time()) - timedelta(
        microseconds=int(90 * 86_400e6 * chance())
    )
    attributes = (
        INDUSTRIES[int(chance() * len(INDUSTRIES))],
        REGIONS[int(chance() * len(REGIONS))],
        owner(int(chance() * people)),
        r"\N" if chance() < 0.03 else renewal,
    )
    inputs = _nothing_known() if chance() < 0.015 else _inputs(draw, health, today)
    opportunity = arr * 0.4 * chance() if chance() < 0.2 else 0
    risk = (
        r"\N"
        if chance() < 0.3
        else "High"
        if health < 0.35
        else "Medium"
        if health < 0.6
        else "Low"
    )
    values = (
        number,
        name,
        f"{arr:.2f}",
        segment,
        *attributes,
        *inputs,
        f"{opportunity:.2f}",
        risk,
        today - timedelta(days=400),
        f"{changed}+00",
    )
    return "\t".join(map(str, values)) + "\n"


def _inputs(draw: Random, health: float, today: date) -> tuple[object, ...]:
    chance = draw.random
    ill = 1 - health

    def near() -> float:
        return min(1.0, max(0.0, health + 0.3 * (chance() - 0.5)))

    seats = int(5 * 400 ** chance())
    return (
        r"\N" if chance() < 0.05 else today - timedelta(days=int(200 * ill * chance())),
        int(seats * near()),
        seats,
        f"{near():.3f}",
        f"{near():.3f}",
        r"\N" if chance() < 0.05 else 5 + int(110 * ill * chance()),
        int(32 * ill * chance()),
        int(6 * ill * chance()),
        int(4 * ill * chance()),
        r"\N" if chance() < 0.08 else int(200 * near()) - 100,
        "t" if chance() < 0.1 else "f",
    )


def _nothing_known() -> tuple[object, ...]:
    return (*(r"\N",) * 6, 0, 0, *(r"\N",) * 3)
