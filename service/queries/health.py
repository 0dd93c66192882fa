"""Whether the database answers."""

from service.database.connection import Database


def ping(database: Database) -> None:
    """Raises `UnavailableError` when it does not."""
    database.read("SELECT 1", {})
