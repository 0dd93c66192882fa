"""Compares two snapshots: what an update of a stack that is deployed from the base would do.

The rules are those of Pulumi's engine. A resource is identified by its type and logical name. A
change of an input updates it, unless the provider can only replace a resource for that input.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Snapshot = Mapping[str, Any]  # as `stack.report.snapshot` writes it


class Kind(StrEnum):
    """What an update does to a resource."""

    LOST = "lost"
    REPLACED = "replaced"
    CREATED = "created"
    CHANGED = "changed"
    SAME = "same"


LOSSES = (Kind.LOST, Kind.REPLACED)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """An input by its path, such as `environment.variables.STAGE`; a missing value is None."""

    path: str
    old: Any
    new: Any

    @property
    def root(self) -> str:
        """The name of the input that the path is in."""
        return self.path.partition(".")[0].partition("[")[0]


@dataclass(frozen=True, kw_only=True)
class Change:
    """A resource and what happens to it.

    forcing: inputs whose change replaces it. data_loss: what is lost with it, "" for what can be
    created again. protected: whether the base protects it, so that the engine refuses the update.
    """

    kind: Kind
    type: str
    name: str
    differences: Sequence[Difference] = ()
    forcing: Sequence[str] = ()
    data_loss: str = ""
    protected: bool = False


def compare(base: Snapshot, head: Snapshot) -> list[Change]:
    """Return a change for every resource of both sides.

    Lost and replaced resources come first, among them the protected ones and those with data.
    """
    before, after = _by_identity(base), _by_identity(head)
    changes = [_changed(before[key], after[key]) for key in before.keys() & after.keys()]
    changes += [_one_sided(Kind.LOST, before[key]) for key in before.keys() - after.keys()]
    changes += [_one_sided(Kind.CREATED, after[key]) for key in after.keys() - before.keys()]
    # False sorts before True.
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


def _by_identity(snapshot: Snapshot) -> dict[tuple[str, str], Mapping[str, Any]]:
    return {(resource["type"], resource["name"]): resource for resource in snapshot["resources"]}


def _one_sided(kind: Kind, resource: Mapping[str, Any]) -> Change:
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
    # Data and protection are those of the base, because that resource is deployed: the engine also
    # refuses an update that replaces it and removes its protection at the same time.
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
    """Yield the innermost values that differ.

    Maps are compared by key, and lists of the same length by index. Lists of different lengths
    differ as a whole: by index, one insertion would change every item after it.
    """
    old, new = _parsed(old), _parsed(new)
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            yield from _differences(f"{path}.{key}" if path else key, old.get(key), new.get(key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from _differences(f"{path}[{index}]", before, after)
    elif old != new:
        yield Difference(path=path, old=old, new=new)


def _parsed(value: Any) -> Any:
    """Parse the JSON texts among the inputs, policies and log formats, to compare their content."""
    if isinstance(value, str) and value.startswith("{"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
