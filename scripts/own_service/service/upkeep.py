"""The upkeep function, which a schedule invokes every night (docs/operations.md)."""

from typing import Any


def handler(event: object, context: object) -> dict[str, Any]:
    """Do what the passage of time requires. It may be called twice, even at once."""
    return {"finished": True}
