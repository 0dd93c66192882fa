"""The embedded PostgreSQL server that stands in for Neon on one machine."""

from local.postgres.server import Postgres

__all__ = ["Postgres"]
