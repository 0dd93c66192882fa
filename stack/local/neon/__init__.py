"""Emulates Neon locally: projects and branches are databases of an embedded PostgreSQL server."""
