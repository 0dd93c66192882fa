"""The upkeep function: brings the scores to the current day, and deletes what is old.

A schedule invokes it several times a night. An invocation goes on where another one stopped, and
does nothing when nothing is due. Two at once take turns.
"""

import logging
import os
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

from psycopg2.extensions import cursor

from service import logs
from service.database.connection import Database
from service.deadline import request_deadline
from service.errors import ServiceError
from service.queries import upkeep
from service.settings import Settings

T = TypeVar("T")

EVENT: Final = {"source": "upkeep"}
SECONDS: Final = 840.0
"""Of an invocation without a context, such as one from a terminal."""
RESERVE_SECONDS: Final = 60.0
"""Of the function's time, for the transaction that runs when there is no time for another one."""
ATTEMPTS: Final = 5
"""Of a transaction, which waits for rows of a writer at most a second."""
WAIT_SECONDS: Final = 1.0


class UpkeepFailedError(Exception):
    """What failed, without secrets. What was committed before is kept."""


def handler(event: object, context: Any) -> dict[str, Any]:
    """Do what is due in the database at DATABASE_URL, as far as the function's time allows.

    The day is that of TIME_ZONE. Returns what was done; `finished` says that nothing is left.
    Raises `UpkeepFailedError`.
    """
    if event != EVENT:
        raise ValueError('this function takes the event {"source": "upkeep"}')
    logs.configure()
    started = time.monotonic()
    seconds = (
        SECONDS
        if context is None
        else context.get_remaining_time_in_millis() / 1000 - RESERVE_SECONDS
    )
    settings = Settings.from_environment(os.environ)
    database = Database(settings.database_url)
    try:
        done = upkeep.run(
            _RetryingWrite(database), settings.time_zone, ends=started + seconds, wait=WAIT_SECONDS
        )
    except ServiceError as error:
        raise UpkeepFailedError(error.detail) from None
    finally:
        database.close()
    summary: dict[str, Any] = {
        **upkeep.summary(done),
        "seconds": round(time.monotonic() - started, 3),
    }
    logs.log("upkeep", **summary)
    return summary


class _RetryingWrite:
    """`Database.write`, repeated a few times when it fails, each time with a request's time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def __call__(self, work: Callable[[cursor], T], /) -> T:
        for attempt in range(1, ATTEMPTS):
            try:
                with request_deadline():
                    return self._database.write(work)
            except ServiceError as error:
                logs.log("another attempt", level=logging.WARNING, reason=error.detail)
                time.sleep(attempt)
        with request_deadline():
            return self._database.write(work)
