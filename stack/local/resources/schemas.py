"""What the bridged providers say of their resources: `provider-schemas.json`, with its sources and their versions.

A kind is "string", "number", "boolean", a list with the kind of its items, a map with the kind of its values under "*", or the
name of a type. Types that the program does not use are not in the file; their values pass.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from stack.local.resources import values

SCHEMAS: Mapping[str, Any] = json.loads(
    Path(__file__).with_name("provider-schemas.json").read_text(encoding="utf-8")
)
_PLAIN: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "boolean": (bool,),
}


def inputs(token: str) -> Mapping[str, Any]:
    """Input name → kind of a resource type. KeyError for a type that the file lacks."""
    return SCHEMAS["resources"][token]["inputs"]


def type_mismatch(value: Any, kind: Any, where: str) -> str | None:
    """Say where a value as it stands on the wire is not of its kind, or has a name that the provider would drop; else None."""
    if isinstance(value, values.Secret):
        return type_mismatch(value.value, kind, where)
    if value is values.UNKNOWN or value is None:
        return None
    if isinstance(kind, list):
        items = enumerate(cast("list[Any]", value)) if isinstance(value, list) else None
        return (
            _first(((item, kind[0], f"{where}[{at}]") for at, item in items))
            if items
            else f"{where} is not a list"
        )
    if isinstance(kind, dict) or kind not in _PLAIN:
        members = cast(
            "Mapping[str, Any]",
            kind if isinstance(kind, dict) else SCHEMAS["types"].get(kind, {"*": "anything"}),
        )
        return _map_mismatch(value, members, where)
    wrong = not isinstance(value, _PLAIN[kind]) or (isinstance(value, bool) and kind != "boolean")
    return f"{where} is {value!r}, expected a {kind}" if wrong else None


def _map_mismatch(value: Any, members: Mapping[str, Any], where: str) -> str | None:
    if members == {"*": "anything"}:
        return None
    if not isinstance(value, Mapping):
        return f"{where} is not a map"
    found = cast("Mapping[str, Any]", value)
    for key in found:
        if key not in members and "*" not in members:
            return f"{where}.{key} is unknown; known are {', '.join(sorted(members))}"
    return _first(
        (item, members.get(key, members.get("*")), f"{where}.{key}") for key, item in found.items()
    )


def _first(parts: Any) -> str | None:
    return next(filter(None, (type_mismatch(*part) for part in parts)), None)
