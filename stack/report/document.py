"""The report as Markdown. What is lost or replaced comes first; a part without changes says so."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from stack.report.compare import LOSSES, Change, Difference, Kind, compare
from stack.report.database import Schemas
from stack.report.figures import costs, uploads
from stack.report.make import Found
from stack.report.markdown import Missing, block, code, missing, table
from stack.report.permissions import Permission, permissions
from stack.report.redacted import SECRET

DIFFERENCES_SHOWN = 8
HEADINGS = {Kind.CREATED: "Created", Kind.CHANGED: "Changed in place"}


def write(found: Found) -> str:
    changes = compare(found.before, found.after)
    parts = [
        *_head(found, changes),
        *_losses([change for change in changes if change.kind in LOSSES]),
        *(
            part
            for kind, heading in HEADINGS.items()
            for part in _section(heading, _rows(changes, kind))
        ),
        *_outputs(set(found.before["outputs"]), set(found.after["outputs"])),
        *_permissions(permissions(found.before), permissions(found.after)),
        *uploads(found),
        *_api(found),
        *_database(found.schemas),
        *costs(found),
        *_foot(found),
    ]
    return "\n\n".join(parts) + "\n"


def _head(found: Found, changes: Sequence[Change]) -> Iterator[str]:
    yield f"# What changes from {code(found.base.shown)} to {code(found.head.shown)}"
    counted = {kind: sum(change.kind is kind for change in changes) for kind in Kind}
    told = [
        f"{counted[kind]} {kind.value}" for kind in Kind if counted[kind] and kind is not Kind.SAME
    ]
    yield f"**{', '.join(told) or 'No resource changes'}**; {counted[Kind.SAME]} stay as they are."
    for side, snapshot in ((found.base, found.before), (found.head, found.after)):
        if snapshot["error"]:
            yield f"**The program of the {side.label} could not be evaluated to its end**, so what follows is not the whole of it:"
            yield block(snapshot["error"].splitlines())
    refused = [text for text in found.after["refusals"] if text not in found.before["refusals"]]
    if refused:
        yield "**A local `up` would refuse:**"
        yield block(refused)
    for note in found.notes:
        yield f"Note: {code(note)}"


def _losses(changes: Sequence[Change]) -> Iterator[str]:
    yield "## Replaced or lost"
    if not changes:
        yield "Nothing."
        return
    rows = [
        [
            code(it.name),
            code(it.type),
            _fate(it),
            code(it.data_loss) if it.data_loss else "nothing",
            _detail(it),
        ]
        for it in changes
    ]
    yield table(["resource", "type", "what happens", "what it loses", "because of"], rows)


def _fate(change: Change) -> str:
    happens = "is deleted" if change.kind is Kind.LOST else "is replaced"
    text = f"**{happens}**" if change.data_loss else happens
    return f"{text}; protected, so the update is refused" if change.protected else text


def _section(heading: str, rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"## {heading}"
    yield table(["resource", "type", "what"], rows) if rows else "Nothing."


def _rows(changes: Sequence[Change], kind: Kind) -> list[list[str]]:
    return [
        [code(change.name), code(change.type), _detail(change)]
        for change in changes
        if change.kind is kind
    ]


def _detail(change: Change) -> str:
    forced = [it for it in change.differences if it.root in change.forcing]
    shown = forced or list(change.differences)
    text = "; ".join(_difference(it) for it in shown[:DIFFERENCES_SHOWN])
    more = len(change.differences) - min(len(shown), DIFFERENCES_SHOWN)
    return f"{text}{f'; and {more} more' if more > 0 else ''}" or "as a whole"


def _difference(difference: Difference) -> str:
    old, new = (
        code("not there") if value is None else code(_plain(value))
        for value in (difference.old, difference.new)
    )
    return f"{code(difference.path)}: {old} → {new}"


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return "a secret" if value.startswith(SECRET) else value
    return json.dumps(value, ensure_ascii=False)


def _outputs(before: set[str], after: set[str]) -> Iterator[str]:
    yield "## Stack outputs"
    rows = [["**goes**", code(name)] for name in sorted(before - after)] + [
        ["appears", code(name)] for name in sorted(after - before)
    ]
    yield table(["", "output"], rows) if rows else "No change of their names."


def _permissions(before: frozenset[Permission], after: frozenset[Permission]) -> Iterator[str]:
    yield "## Permissions"
    rows = [
        [word, *_permission(it)]
        for word, found in (("**appears**", after - before), ("goes", before - after))
        for it in sorted(found)
    ]
    yield table(["", "by", "effect", "action", "on", "who", "if"], rows) if rows else "No change."


def _permission(it: Permission) -> list[str]:
    return [
        code(text) if text else ""
        for text in (it.holder, it.effect, it.action, it.resource, it.principal, it.condition)
    ]


def _api(found: Found) -> Iterator[str]:
    yield "## API"
    if isinstance(found.api, Missing):
        yield from missing(found.api)
        return
    rows = [
        ["**may break clients**" if it.breaking else "", code(it.what), code(it.detail)]
        for it in found.api
    ]
    yield table(["", "where", "what"], rows) if rows else "No change of the OpenAPI document."


def _database(schemas: Schemas | Missing) -> Iterator[str]:
    yield "## Database schema"
    if isinstance(schemas, Missing):
        yield from missing(schemas)
        return
    ways = (
        ("base from nothing", schemas.base),
        ("head from nothing", schemas.head),
        ("head on the base's database", schemas.upgraded),
    )
    rows = [
        [way, f"**fails**: {code(it.error.splitlines()[-1])}" if it.error else _applied(it.applied)]
        for way, it in ways
    ]
    yield table(["migrations", "result"], rows)
    for error in dict.fromkeys(it.error for _, it in ways if "\n" in it.error):
        yield block(error.splitlines())
    if schemas.one_way_differs:
        yield "**A new database gets another schema than one that is migrated on: a migration that was released has been edited.**"
    if schemas.difference:
        yield block(schemas.difference, "diff")
    else:
        yield (
            "The schemas could not be compared."
            if schemas.incomparable
            else "No change of the schema."
        )


def _applied(revisions: Sequence[str]) -> str:
    return f"run: {', '.join(map(code, revisions))}" if revisions else "nothing to run"


def _foot(found: Found) -> Iterator[str]:
    yield (
        f"Made by `stack report` from the programs of both sides, with the configuration of stack {code(found.after['stack'])} and "
        "without an account. It compares what they declare: what really stands in the cloud only `pulumi preview` sees. Both ran with the "
        "packages of the head's environment."
    )
