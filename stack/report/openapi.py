"""Compares two OpenAPI documents: what was added, removed and changed, and what breaks a client."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

METHODS = ("get", "head", "post", "put", "patch", "delete", "options", "trace")
_ADDED, _REMOVED = "added", "removed"


@dataclass(frozen=True, order=True)
class Change:
    """A difference. breaking: whether a client that works with the base may fail with the head.

    what: an operation ("GET /accounts") or a schema. detail: what is different.
    """

    breaking: bool
    what: str
    detail: str


def compare(base: Mapping[str, Any], head: Mapping[str, Any]) -> list[Change]:
    """Return the differences: breaking ones first, then by operation."""
    before, after = dict(_operations(base)), dict(_operations(head))
    changes = [Change(True, name, _REMOVED) for name in before.keys() - after.keys()]
    changes += [Change(False, name, _ADDED) for name in after.keys() - before.keys()]
    for name in before.keys() & after.keys():
        changes += [
            Change(breaking, name, detail)
            for breaking, detail in _operation(before[name], after[name])
        ]
    changes += _schemas(base, head)
    return sorted(
        set(changes), key=lambda change: (not change.breaking, change.what, change.detail)
    )


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for path, item in document.get("paths", {}).items():
        for method in METHODS:
            if method in item:
                yield (
                    f"{method.upper()} {path}",
                    {
                        **item[method],
                        "parameters": [
                            *item.get("parameters", []),
                            *item[method].get("parameters", []),
                        ],
                    },
                )


def _operation(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[bool, str]]:
    before, after = _parameters(old), _parameters(new)
    for name in before.keys() | after.keys():
        if name not in after:
            yield True, f"parameter {name} removed"
        elif name not in before:
            required = bool(after[name].get("required"))
            yield required, f"parameter {name} added{', required' if required else ''}"
        elif before[name] != after[name]:
            yield True, f"parameter {name} changed"
    if old.get("requestBody") != new.get("requestBody"):
        yield (
            "requestBody" in new,
            "request body changed" if "requestBody" in old else "request body added",
        )
    responses, new_responses = old.get("responses", {}), new.get("responses", {})
    for status in responses.keys() | new_responses.keys():
        if status not in new_responses:
            yield status.startswith("2"), f"response {status} removed"
        elif status not in responses:
            yield False, f"response {status} added"
        elif responses[status].get("content") != new_responses[status].get("content"):
            yield True, f"response {status} changed"
    if old.get("security") != new.get("security"):
        yield True, "authentication changed"
    if not old.get("deprecated") and new.get("deprecated"):
        yield False, "deprecated"


def _parameters(operation: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the parameters by name and location, without descriptions and examples."""
    found = {f"{item.get('name')} ({item.get('in')})": item for item in operation["parameters"]}
    return {
        name: {key: value for key, value in item.items() if key not in ("description", "example")}
        for name, item in found.items()
    }


def _schemas(base: Mapping[str, Any], head: Mapping[str, Any]) -> Iterator[Change]:
    """Compare the fields of named schemas.

    A removed field may break clients that read it or send it. An added one breaks clients only if
    it is required in what they send.
    """
    sent = _sent(head)
    before, after = (document.get("components", {}).get("schemas", {}) for document in (base, head))
    for name in sorted(before.keys() & after.keys()):
        old, new = (side[name].get("properties", {}) for side in (before, after))
        was, required = (set(side[name].get("required", [])) for side in (before, after))
        for field in sorted(old.keys() | new.keys()):
            if field not in new:
                yield Change(True, f"schema {name}", f"field {field} removed")
            elif field not in old:
                needed = name in sent and field in required
                detail = f"field {field} added{', required' if needed else ''}"
                yield Change(needed, f"schema {name}", detail)
            elif _kind(old[field]) != _kind(new[field]):
                yield Change(True, f"schema {name}", f"field {field} changed")
            elif (field in was) != (field in required):
                yield Change(
                    True,
                    f"schema {name}",
                    f"field {field} now {'required' if field in required else 'optional'}",
                )
        if not (old or new) and _kind(before[name]) != _kind(after[name]):
            yield Change(True, f"schema {name}", "values changed")


def _sent(document: Mapping[str, Any]) -> set[str]:
    """Return the names of the schemas in request bodies, with those that they refer to."""
    schemas = document.get("components", {}).get("schemas", {})
    found: set[str] = set()
    pending = {
        name
        for _, operation in _operations(document)
        for name in _references(operation.get("requestBody"))
    }
    while pending:
        found |= pending
        pending = {name for known in pending for name in _references(schemas.get(known))} - found
    return found


def _references(schema: Any) -> Iterator[str]:
    items = (
        schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    )
    if isinstance(schema, dict) and isinstance(schema.get("$ref"), str):
        yield schema["$ref"].rpartition("/")[2]
    for item in items:
        yield from _references(item)


def _kind(schema: Any) -> Any:
    """Return a schema without titles, descriptions and examples."""
    if isinstance(schema, dict):
        return {
            key: _kind(value)
            for key, value in schema.items()
            if key not in ("description", "title", "examples", "example")
        }
    return [_kind(item) for item in schema] if isinstance(schema, list) else schema
