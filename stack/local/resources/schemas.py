"""Reads the schemas of the bridged providers (`provider-schemas.json`, which names its sources).

A kind is "string", "number", "boolean", `[kind of the items]`, `{"*": kind of the values}`, or the
name of a type. Types that the program does not use are not in the file; their values pass.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from stack.local.resources import values

SCHEMAS: Mapping[str, Any] = json.loads(
    Path(__file__).with_name("provider-schemas.json").read_text(encoding="utf-8")
)
_SCALARS: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "boolean": (bool,),
}


def inputs(token: str) -> Mapping[str, Any]:
    """Return input name → kind of a resource type. KeyError for a type that the file lacks."""
    return SCHEMAS["resources"][token]["inputs"]


def type_mismatch(value: Any, kind: Any, path: str) -> str | None:
    """Say where a decoded value is not of its kind or has an unknown key; None when it matches.

    `path` names the value in the message, for example "branch.roleName".
    """
    if isinstance(value, values.Secret):
        return type_mismatch(value.value, kind, path)
    if value is values.UNKNOWN or value is None:
        return None
    if isinstance(kind, list):
        if not isinstance(value, list):
            return f"{path} is not a list"
        items = enumerate(cast("list[Any]", value))
        return _first((item, kind[0], f"{path}[{index}]") for index, item in items)
    if isinstance(kind, dict) or kind not in _SCALARS:
        members = cast(
            "Mapping[str, Any]",
            kind if isinstance(kind, dict) else SCHEMAS["types"].get(kind, {"*": "anything"}),
        )
        return _map_mismatch(value, members, path)
    wrong = not isinstance(value, _SCALARS[kind]) or (isinstance(value, bool) and kind != "boolean")
    return f"{path} is {value!r}, expected a {kind}" if wrong else None


def _map_mismatch(value: Any, members: Mapping[str, Any], path: str) -> str | None:
    if members == {"*": "anything"}:
        return None
    if not isinstance(value, Mapping):
        return f"{path} is not a map"
    found = cast("Mapping[str, Any]", value)
    for key in found:
        if key not in members and "*" not in members:
            return f"{path}.{key} is unknown; known are {', '.join(sorted(members))}"
    return _first(
        (item, members.get(key, members.get("*")), f"{path}.{key}") for key, item in found.items()
    )


def _first(parts: Iterable[tuple[Any, Any, str]]) -> str | None:
    return next(filter(None, (type_mismatch(*part) for part in parts)), None)
