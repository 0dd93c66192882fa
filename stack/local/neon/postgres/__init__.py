"""The embedded PostgreSQL server that runs locally instead of Neon."""
