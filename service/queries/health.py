"""The readiness query."""

from service.database.connection import Database


def ping(database: Database) -> None:
    """Run an empty query. Raises `UnavailableError` when the database does not respond."""
    database.read("SELECT 1", {})
