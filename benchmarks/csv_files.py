"""CSV files of generated accounts, for benchmarks and tests.

The same arguments give the same bytes.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from random import Random

HEADER = (
    *("name", "arr", "segment", "industry", "region", "cs_owner"),
    *("renewal_date", "qbr_last_date", "active_users", "seats_purchased"),
    *("feature_x_adoption", "weekly_active_pct", "time_to_value_days", "tickets_last_30d"),
    *("critical_tickets_90d", "nps", "onboarding_phase"),
)
METRICS = (
    "date",
    "logins",
    "events",
    "feature_x_events",
    "errors",
    "ticket_backlog",
    "avg_session_min",
)
INDUSTRIES = (
    "Technology",
    "Finance",
    "Healthcare",
    "Manufacturing",
    "Retail",
    "Logistics",
    "Education",
    "Energy",
)
REGIONS = ("North America", "EMEA", "APAC", "LATAM")
OWNERS = 50
FIRST_DAY = date(2026, 1, 1)


def accounts_csv(count: int, *, seed: int = 1, start: int = 0) -> bytes:
    """Returns `count` accounts of 17 columns, about 120 bytes each, numbered from `start`.

    Another seed gives other values under the same names.
    """
    draw = Random(seed)
    return _csv(HEADER, (_account(draw, start + number) for number in range(count)))


def days_csv(accounts: int, days: int, *, seed: int = 1) -> bytes:
    """Returns one row for each account and day, with name, ARR and segment in each."""
    draw = Random(seed)
    rows = (
        (
            *account[:3],
            FIRST_DAY + timedelta(days=day),
            *(draw.randrange(500) for _ in range(5)),
            round(draw.uniform(1, 60), 1),
        )
        for account in [_account(draw, number) for number in range(accounts)]
        for day in range(days)
    )
    return _csv((*HEADER[:3], *METRICS), rows)


def _account(draw: Random, number: int) -> tuple[object, ...]:
    seats = draw.randrange(5, 2000)
    return (
        f"Invented Customer {number:06} Ltd",
        round(draw.uniform(1_000, 900_000), 2),
        draw.choices(("SMB", "Mid-Market", "Enterprise"), (50, 33, 17))[0],
        draw.choice(INDUSTRIES),
        draw.choice(REGIONS),
        f"Owner {draw.randrange(OWNERS):03}",
        FIRST_DAY + timedelta(days=draw.randrange(700)),
        FIRST_DAY + timedelta(days=draw.randrange(300)),
        round(seats * draw.random()),
        seats,
        round(draw.random(), 3),
        round(draw.random(), 3),
        draw.randrange(90),
        draw.randrange(30),
        draw.randrange(5),
        draw.randrange(-100, 101),
        draw.choice(("true", "false")),
    )


def _csv(header: tuple[str, ...], rows: Iterator[tuple[object, ...]]) -> bytes:
    """Joins the cells; none of them needs quotes."""
    return "".join(f"{','.join(map(str, row))}\n" for row in (header, *rows)).encode()
