"""The embedded PostgreSQL server that stands in for Neon on one machine."""
