"""Alembic's migrations: expand and contract over two releases, so that the code before and the code after both work with each step."""
