"""Formats values for a person or a shell."""

from typing import Any


def plain(value: Any) -> str:
    """Return a list as its items with commas, and everything else as its text."""
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
