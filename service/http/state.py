"""Typed access to what `service.app` stores in the application's state."""

from datetime import date, tzinfo

from starlette.requests import Request

from service import clock
from service.database.connection import Database


def database(request: Request) -> Database:
    """Return the database of the execution environment.

    A plain call rather than a FastAPI dependency, which would take 0.2 ms of the cold start for
    each route, and 0.03 ms of each request.
    """
    return request.app.state.database


def scored_database(request: Request) -> Database:
    """Return the database for a read of scores, which are of today where that can be."""
    found = database(request)
    request.app.state.daily_scores.refresh(found)
    return found


def time_zone(request: Request) -> tzinfo:
    """Return the time zone that decides which day it is."""
    return request.app.state.settings.time_zone


def today(request: Request) -> date:
    """Return the current day in the time zone of the settings."""
    return clock.today(time_zone(request))
