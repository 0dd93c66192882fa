"""The expressions of EventBridge Scheduler: `cron(…)`, `rate(…)` and `at(…)`.

A cron expression has six fields: minutes, hours, day of month, month, day of week (1 is Sunday) and
year. It means the clock of a time zone: a time that daylight saving skips is skipped, and one that
occurs twice counts once (EventBridge Scheduler User Guide, Schedule types).
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

FIRST_YEAR, LAST_YEAR = 1970, 2199
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_UNITS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}

NextTime = Callable[[datetime], datetime | None]
"""Returns the first time after another one, in UTC, or None where there is none."""


@lru_cache(maxsize=64)
def parse(expression: str, time_zone: str, since: datetime) -> NextTime:
    """Return the times of an expression. Raises `ValueError` for one that is malformed.

    since: when the schedule was created or changed; a rate counts from it, and it is the first.
    """
    try:
        zone = ZoneInfo(time_zone)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{time_zone!r} is not the name of a time zone") from None
    match = re.fullmatch(r"(cron|rate|at)\((.*)\)", expression)
    if match is None:
        raise ValueError(f"{expression!r} is not cron(…), rate(…) or at(…)")
    kind, text = match.groups()
    if kind == "cron":
        return _cron(text, zone)
    return _rate(text, since) if kind == "rate" else _at(text, zone)


def _at(text: str, zone: ZoneInfo) -> NextTime:
    try:
        once = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=zone).astimezone(UTC)
    except ValueError:
        raise ValueError(f"at({text}) needs a time like at(2027-01-31T08:00:00)") from None
    return lambda after: once if once > after else None


def _rate(text: str, since: datetime) -> NextTime:
    match = re.fullmatch(r"([1-9][0-9]*) (minute|hour|day)s?", text)
    if match is None:
        raise ValueError(f"rate({text}) needs a number and a unit, like rate(5 minutes)")
    period = int(match[1]) * _UNITS[match[2]]

    def next_time(after: datetime) -> datetime:
        return since if after < since else since + ((after - since) // period + 1) * period

    return next_time


def _cron(text: str, zone: ZoneInfo) -> NextTime:
    fields = text.upper().split()
    if len(fields) != 6:
        raise ValueError(
            f"cron({text}) has {len(fields)} fields and needs six: "
            "minutes, hours, day of month, month, day of week, year"
        )
    days, weekdays = fields[2], fields[4]
    if text.count("?") != 1 or "?" not in (days, weekdays):
        raise ValueError(
            f"cron({text}) needs '?' as the day of month or the day of week, and only there"
        )
    if "W" in days.replace("LW", ""):
        raise ValueError(f"cron({text}): W is not supported locally, except in LW")
    years = _years(fields[5], text)
    fields[4] = _weekdays(weekdays, text)
    cron = " ".join(fields[:5]).replace("?", "*")
    try:
        CronSim(cron, datetime(2000, 1, 1))
    except CronSimError as error:
        raise ValueError(f"cron({text}): {str(error).lower()}") from None
    return lambda after: _next_cron(cron, years, zone, after)


def _next_cron(cron: str, years: list[int], zone: ZoneInfo, after: datetime) -> datetime | None:
    # The library's own rules for daylight saving are those of Debian, so it gets local times
    # without a zone.
    times = CronSim(cron, after.astimezone(zone).replace(tzinfo=None))
    while (local := next(times, None)) is not None and local.year <= years[-1]:
        if local.year not in years:
            following = next(year for year in years if year > local.year)
            times = CronSim(cron, datetime(following, 1, 1) - timedelta(seconds=1))
            continue
        found = local.replace(tzinfo=zone).astimezone(UTC)
        exists = found.astimezone(zone).replace(tzinfo=None) == local
        if exists and found > after:
            return found
    return None


def _weekdays(field: str, text: str) -> str:
    """Return the field with 0 for Sunday, as the library has it, without names of days."""

    def number(day: str) -> str:
        if day in _DAYS:
            return str(_DAYS.index(day))
        if not re.fullmatch("[1-7]", day):
            raise ValueError(f"cron({text}): bad day-of-week")
        return str(int(day) - 1)

    def term(part: str) -> str:
        if part in ("*", "?") or part.startswith("*/"):
            return part
        if part == "L":
            return number("SAT")
        days, slash, step = part.partition("/")
        if slash and "-" not in days:
            return f"{number(days)}-6/{step}"
        return re.sub(r"[A-KM-Z]{3}|^[0-9]+|(?<=-)[0-9]+", lambda day: number(day[0]), part)

    return ",".join(map(term, field.split(",")))


def _years(field: str, text: str) -> list[int]:
    """Return the years that a field allows, in order."""
    found: set[int] = set()
    for part in field.split(","):
        match = re.fullmatch(r"([0-9]{4}|\*)(-[0-9]{4})?(/[1-9][0-9]*)?", part)
        if match is None:
            raise ValueError(f"cron({text}): bad year")
        start, end, step = match.groups(default="")
        first = FIRST_YEAR if start == "*" else int(start)
        last = int(end[1:]) if end else first if start != "*" and not step else LAST_YEAR
        if not FIRST_YEAR <= first <= last <= LAST_YEAR:
            raise ValueError(f"cron({text}): bad year")
        found |= set(range(first, last + 1, int(step[1:] or 1)))
    return sorted(found)
