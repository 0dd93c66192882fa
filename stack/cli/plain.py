"""Values as a person or a shell reads them."""

from typing import Any


def plain(value: Any) -> str:
    """A list with commas, everything else bare."""
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
