"""Two snapshots compared: what an update of a stack that stands at the base would do."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Snapshot = Mapping[str, Any]  # as `stack.report.snapshot` writes it


class Kind(StrEnum):
    """What becomes of a resource."""

    LOST = "lost"
    REPLACED = "replaced"
    CREATED = "created"
    CHANGED = "changed"
    SAME = "same"


LOSSES = (Kind.LOST, Kind.REPLACED)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """An input by its path; None where it is not there."""

    path: str
    old: Any
    new: Any

    @property
    def root(self) -> str:
        """The input that it is in."""
        return self.path.partition(".")[0].partition("[")[0]


@dataclass(frozen=True, kw_only=True)
class Change:
    """A resource and what becomes of it.

    forcing: inputs whose change replaces it. data_loss: what goes with it, "" for what can be made again as it was.
    protected: whether the base has it protected, so that the engine refuses.
    """

    kind: Kind
    type: str
    name: str
    differences: Sequence[Difference] = ()
    forcing: Sequence[str] = ()
    data_loss: str = ""
    protected: bool = False


def compare(base: Snapshot, head: Snapshot) -> list[Change]:
    """Every resource of both sides; what is lost or replaced first, among it what takes something along."""
    before, after = _by_name(base), _by_name(head)
    changes = [_changed(before[key], after[key]) for key in before.keys() & after.keys()]
    changes += [_alone(Kind.LOST, before[key]) for key in before.keys() - after.keys()]
    changes += [_alone(Kind.CREATED, after[key]) for key in after.keys() - before.keys()]
    return sorted(
        changes,
        key=lambda it: (
            it.kind not in LOSSES,
            not it.protected,
            not it.data_loss,
            it.kind,
            it.type,
            it.name,
        ),
    )


def _by_name(snapshot: Snapshot) -> dict[tuple[str, str], Mapping[str, Any]]:
    return {(resource["type"], resource["name"]): resource for resource in snapshot["resources"]}


def _alone(kind: Kind, resource: Mapping[str, Any]) -> Change:
    lost = kind is Kind.LOST
    return Change(
        kind=kind,
        type=resource["type"],
        name=resource["name"],
        data_loss=resource["data_loss"] if lost else "",
        protected=lost and resource["protect"],
    )


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> Change:
    differences = list(_differences("", old["inputs"], new["inputs"]))
    if old["protect"] != new["protect"]:
        differences.append(Difference(path="protection", old=old["protect"], new=new["protect"]))
    changed = {difference.root for difference in differences}
    forcing = sorted(changed & {*old["replaces"], *new["replaces"]})
    kind = Kind.REPLACED if forcing else Kind.CHANGED if differences else Kind.SAME
    return Change(
        kind=kind,
        type=new["type"],
        name=new["name"],
        differences=differences,
        forcing=forcing,
        data_loss=old["data_loss"] if forcing else "",
        protected=bool(forcing) and old["protect"],
    )


def _differences(path: str, old: Any, new: Any) -> Iterator[Difference]:
    old, new = _document(old), _document(new)
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            yield from _differences(f"{path}.{key}" if path else key, old.get(key), new.get(key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for at, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from _differences(f"{path}[{at}]", before, after)
    elif old != new:
        yield Difference(path=path, old=old, new=new)


def _document(value: Any) -> Any:
    """Policies and log formats are texts that hold JSON: two of them differ where their content does."""
    if isinstance(value, str) and value.startswith("{"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
