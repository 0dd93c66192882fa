"""Brings the scores to the current day before a read, where no upkeep has done it yet."""

import logging
import time
from datetime import date, timedelta, tzinfo
from typing import Final

import psycopg2

from service import clock
from service.database.connection import Database
from service.deadline import remaining
from service.errors import ServiceError
from service.logs import log
from service.queries import scores_day

MAX_ACCOUNTS: Final = 10_000
"""Of a portfolio that a read brings to the current day, which takes less than a second."""
MAX_SECONDS: Final = 5.0
"""After which the read goes on with what there is."""
RESERVE_SECONDS: Final = 10.0
"""Of the request's time, for the read itself."""
RETRY_SECONDS: Final = 1.0
"""Until the next attempt, while another execution environment does it."""
TOO_LARGE_RETRY_SECONDS: Final = 60.0
CLOCK_SKEW: Final = timedelta(minutes=1)
"""By how much the clock of another execution environment can be ahead."""


class DailyScores:
    """What an execution environment knows of the day of the scores.

    While it knows that they are of the current day, a read takes no additional statement.
    """

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._day: date | None = None
        self._next_attempt = 0.0

    def refresh(self, database: Database) -> None:
        """Score all accounts as of today if that was not done and they are not too many.

        One execution environment does it, others go on with the scores of the day before, and so
        does this one after a failure: only an unreachable database makes it raise.
        """
        today = clock.today(self._zone)
        if self._day == today or time.monotonic() < self._next_attempt:
            return
        scores_as_of, accounts = scores_day.scores_day(database)
        if scores_as_of in (today, clock.today(self._zone, ahead=CLOCK_SKEW)):
            self._day = today
            return
        too_large = accounts > MAX_ACCOUNTS
        pause = TOO_LARGE_RETRY_SECONDS if too_large else RETRY_SECONDS
        self._next_attempt = time.monotonic() + pause
        seconds = min(MAX_SECONDS, remaining() - RESERVE_SECONDS)
        if too_large or seconds <= 0:
            return
        from service.queries import upkeep

        try:
            done = upkeep.run(
                database.write, self._zone, ends=time.monotonic() + seconds, wait=None
            )
        except (ServiceError, psycopg2.Error) as error:
            log("the scores are not of today", level=logging.WARNING, kind=type(error).__name__)
            return
        if done.scored:
            self._day, self._next_attempt = done.day, 0.0
        if done.accounts:
            log("upkeep by a read", **upkeep.summary(done))
