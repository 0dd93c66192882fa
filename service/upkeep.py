"""The upkeep function, which the schedule of the program invokes every night."""

from typing import Any


def handler(event: object, context: object) -> dict[str, Any]:
    return {"finished": True}
