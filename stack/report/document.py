"""Writes the report as Markdown. Lost and replaced resources come first."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from stack.report.collect import ReportData
from stack.report.compare import LOSSES, Change, Difference, Kind, compare
from stack.report.database import Schemas
from stack.report.markdown import Unavailable, code, code_block, table, unavailable
from stack.report.permissions import Permission, permissions
from stack.report.redaction import SECRET
from stack.report.size_and_cost import costs, uploads

DIFFERENCES_SHOWN = 8
HEADINGS = {Kind.CREATED: "Created", Kind.CHANGED: "Changed in place"}


def write(data: ReportData) -> str:
    """Return the report. A section without changes says so."""
    changes = compare(data.before, data.after)
    parts = [
        *_head(data, changes),
        *_losses([change for change in changes if change.kind in LOSSES]),
        *(
            part
            for kind, heading in HEADINGS.items()
            for part in _section(heading, _rows(changes, kind))
        ),
        *_outputs(set(data.before["outputs"]), set(data.after["outputs"])),
        *_permissions(permissions(data.before), permissions(data.after)),
        *uploads(data),
        *_api(data),
        *_database(data.schemas),
        *costs(data),
        *_foot(data),
    ]
    return "\n\n".join(parts) + "\n"


def _head(data: ReportData, changes: Sequence[Change]) -> Iterator[str]:
    yield f"# What changes from {code(data.base.title)} to {code(data.head.title)}"
    counted = {kind: sum(change.kind is kind for change in changes) for kind in Kind}
    counts = [
        f"{counted[kind]} {kind.value}" for kind in Kind if counted[kind] and kind is not Kind.SAME
    ]
    yield f"**{', '.join(counts) or 'No resource changes'}**; {counted[Kind.SAME]} unchanged."
    for side, snapshot in ((data.base, data.before), (data.head, data.after)):
        if snapshot["error"]:
            yield (
                f"**The program of the {side.label} could not be evaluated to its end**, "
                "so this report is incomplete:"
            )
            yield code_block(snapshot["error"].splitlines())
    refused = [text for text in data.after["refusals"] if text not in data.before["refusals"]]
    if refused:
        yield "**A local `up` would refuse:**"
        yield code_block(refused)
    for note in data.notes:
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
            _outcome(it),
            code(it.data_loss) if it.data_loss else "nothing",
            _detail(it),
        ]
        for it in changes
    ]
    yield table(["resource", "type", "what happens", "what is lost", "because of"], rows)


def _outcome(change: Change) -> str:
    outcome = "is deleted" if change.kind is Kind.LOST else "is replaced"
    text = f"**{outcome}**" if change.data_loss else outcome
    return f"{text}; protected, so the update is refused" if change.protected else text


def _section(heading: str, rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"## {heading}"
    yield table(["resource", "type", "change"], rows) if rows else "Nothing."


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
        code("none") if value is None else code(_plain(value))
        for value in (difference.old, difference.new)
    )
    return f"{code(difference.path)}: {old} → {new}"


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return "a secret" if value.startswith(SECRET) else value
    return json.dumps(value, ensure_ascii=False)


def _outputs(before: set[str], after: set[str]) -> Iterator[str]:
    yield "## Stack outputs"
    rows = [["**removed**", code(name)] for name in sorted(before - after)] + [
        ["added", code(name)] for name in sorted(after - before)
    ]
    yield table(["", "output"], rows) if rows else "No change of their names."


def _permissions(before: frozenset[Permission], after: frozenset[Permission]) -> Iterator[str]:
    yield "## Permissions"
    rows = [
        [word, *_permission(it)]
        for word, changed in (("**added**", after - before), ("removed", before - after))
        for it in sorted(changed)
    ]
    header = ["", "declared by", "effect", "action", "resource", "principal", "condition"]
    yield table(header, rows) if rows else "No change."


def _permission(it: Permission) -> list[str]:
    return [
        code(text) if text else ""
        for text in (it.holder, it.effect, it.action, it.resource, it.principal, it.condition)
    ]


def _api(data: ReportData) -> Iterator[str]:
    yield "## API"
    if isinstance(data.api, Unavailable):
        yield from unavailable(data.api)
        return
    rows = [
        ["**may break clients**" if it.breaking else "", code(it.what), code(it.detail)]
        for it in data.api
    ]
    yield (
        table(["", "operation or schema", "change"], rows)
        if rows
        else "No change of the OpenAPI document."
    )


def _database(schemas: Schemas | Unavailable) -> Iterator[str]:
    yield "## Database schema"
    if isinstance(schemas, Unavailable):
        yield from unavailable(schemas)
        return
    results = (
        ("base on an empty database", schemas.base),
        ("head on an empty database", schemas.head),
        ("head on the base's database", schemas.upgraded),
    )
    rows = [
        [run, f"**fails**: {code(it.error.splitlines()[-1])}" if it.error else _applied(it.applied)]
        for run, it in results
    ]
    yield table(["migrations", "result"], rows)
    for error in dict.fromkeys(it.error for _, it in results if "\n" in it.error):
        yield code_block(error.splitlines())
    if schemas.released_migration_edited:
        yield (
            "**A new database gets another schema than an upgraded one: "
            "a released migration has been edited.**"
        )
    if schemas.difference:
        yield code_block(schemas.difference, "diff")
    else:
        yield (
            "The schemas could not be compared."
            if schemas.incomparable
            else "No change of the schema."
        )


def _applied(revisions: Sequence[str]) -> str:
    return f"run: {', '.join(map(code, revisions))}" if revisions else "nothing to run"


def _foot(data: ReportData) -> Iterator[str]:
    yield (
        "Written by `stack report` from the programs of both sides, with the configuration of "
        f"stack {code(data.after['stack'])} and without an account. It compares what they declare; "
        "what is deployed in the cloud only `pulumi preview` sees. Both programs ran with the "
        "packages of the head's environment."
    )
