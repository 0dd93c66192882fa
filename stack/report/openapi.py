"""Two OpenAPI documents compared: operations that come, go and change, and which changes break a client."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

METHODS = ("get", "head", "post", "put", "patch", "delete", "options", "trace")
_COMES, _GOES = "comes", "goes"


@dataclass(frozen=True, order=True)
class Change:
    """what: "GET /accounts". detail: what is different. breaking: whether a client that worked may fail."""

    breaking: bool
    what: str
    detail: str


def compare(base: Mapping[str, Any], head: Mapping[str, Any]) -> list[Change]:
    """What may break first, then by operation."""
    before, after = dict(_operations(base)), dict(_operations(head))
    changes = [Change(True, name, _GOES) for name in before.keys() - after.keys()]
    changes += [Change(False, name, _COMES) for name in after.keys() - before.keys()]
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
            yield True, f"parameter {name} goes"
        elif name not in before:
            required = bool(after[name].get("required"))
            yield required, f"parameter {name} comes{', required' if required else ''}"
        elif before[name] != after[name]:
            yield True, f"parameter {name} changes"
    if old.get("requestBody") != new.get("requestBody"):
        yield (
            "requestBody" in new,
            "the request's body changes" if "requestBody" in old else "a request's body comes",
        )
    answers, answered = old.get("responses", {}), new.get("responses", {})
    for status in answers.keys() | answered.keys():
        if status not in answered:
            yield status.startswith("2"), f"answer {status} goes"
        elif status not in answers:
            yield False, f"answer {status} comes"
        elif answers[status].get("content") != answered[status].get("content"):
            yield True, f"answer {status} changes"
    if old.get("security") != new.get("security"):
        yield True, "who may call it changes"
    if not old.get("deprecated") and new.get("deprecated"):
        yield False, "is deprecated"


def _parameters(operation: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Without descriptions: words change nothing for a client."""
    found = {f"{item.get('name')} ({item.get('in')})": item for item in operation["parameters"]}
    return {
        name: {key: value for key, value in item.items() if key not in ("description", "example")}
        for name, item in found.items()
    }


def _schemas(base: Mapping[str, Any], head: Mapping[str, Any]) -> Iterator[Change]:
    """Fields of named schemas. One that goes may break who reads it as well as who sends it; one that comes, who does not send it."""
    sent = _sent(head)
    before, after = (document.get("components", {}).get("schemas", {}) for document in (base, head))
    for name in sorted(before.keys() & after.keys()):
        old, new = (side[name].get("properties", {}) for side in (before, after))
        was, required = (set(side[name].get("required", [])) for side in (before, after))
        for field in sorted(old.keys() | new.keys()):
            if field not in new:
                yield Change(True, f"schema {name}", f"field {field} goes")
            elif field not in old:
                needed = name in sent and field in required
                yield Change(
                    needed, f"schema {name}", f"field {field} comes{', required' if needed else ''}"
                )
            elif _kind(old[field]) != _kind(new[field]):
                yield Change(True, f"schema {name}", f"field {field} changes")
            elif (field in was) != (field in required):
                yield Change(
                    True,
                    f"schema {name}",
                    f"field {field} becomes {'required' if field in required else 'optional'}",
                )
        if not (old or new) and _kind(before[name]) != _kind(after[name]):
            yield Change(True, f"schema {name}", "its values change")


def _sent(document: Mapping[str, Any]) -> set[str]:
    """Names of the schemas that clients send."""
    schemas = document.get("components", {}).get("schemas", {})
    found: set[str] = set()
    open_ = {
        name
        for _, operation in _operations(document)
        for name in _references(operation.get("requestBody"))
    }
    while open_:
        found |= open_
        open_ = {name for known in open_ for name in _references(schemas.get(known))} - found
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
    """A schema without its words."""
    if isinstance(schema, dict):
        return {
            key: _kind(value)
            for key, value in schema.items()
            if key not in ("description", "title", "examples", "example")
        }
    return [_kind(item) for item in schema] if isinstance(schema, list) else schema
