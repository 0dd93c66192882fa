"""Typed access to what `service.app` stores in the application's state."""

from starlette.requests import Request

from service.database.connection import Database


def database(request: Request) -> Database:
    """Return the database of the execution environment.

    A plain call rather than a FastAPI dependency, which would take 0.2 ms of the cold start for
    each route, and 0.03 ms of each request.
    """
    return request.app.state.database
