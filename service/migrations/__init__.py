"""Alembic's migrations.

Each expands or contracts the schema over two releases, so that both the version of the service
before it and the one after it work on the schema.
"""
