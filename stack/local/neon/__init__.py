"""Neon on this machine: projects and branches as databases of an embedded PostgreSQL server."""
