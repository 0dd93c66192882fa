"""Realisers: how each resource type is made real on this machine. Both ways in (`evaluate`, and the engine's provider) use them."""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pulumi

from components.errors import UserError
from local import sdk, values

if TYPE_CHECKING:
    from local.cloud import Cloud


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a realiser works with. `cancelled` is to be polled in long work; `progress` takes a line for the person who waits."""

    cloud: "Cloud"
    urn: str
    stack: str
    region: str
    root: Path
    cancelled: threading.Event = field(default_factory=threading.Event)
    progress: Callable[[str], None] = lambda _line: None


class Realiser:
    """One resource type. Blocking, called from threads, idempotent by physical name; none waits for another resource.

    sdk: the SDK's class; its signature says which inputs there are, and its outputs which must be answered.
    replaces: inputs whose change makes another resource (the provider's documentation, "forces replacement").
    secrets: outputs that the real provider marks as secret.
    loses: what goes with a resource that is replaced or deleted, as an object of "loses"; "" for what can be made again as it was.
    """

    sdk: ClassVar[type[pulumi.CustomResource]]
    replaces: ClassVar[frozenset[str]] = frozenset()
    secrets: ClassVar[frozenset[str]] = frozenset()
    supported: ClassVar[frozenset[str]]
    loses: ClassVar[str] = ""

    @property
    def type(self) -> str:
        return str(self.sdk.pulumi_type)  # pyright: ignore[reportAttributeAccessIssue] - set by the SDK's generated classes

    @property
    def inputs(self) -> Mapping[str, Any]:
        """Input name → type, as the SDK's signature has it."""
        return sdk.input_types(self.sdk)

    def misfit(self, name: str, value: Any) -> str | None:
        """Say where an input's value is of another type than `inputs` has, or None."""
        return sdk.misfit(value, self.inputs[name], name)

    @property
    def computed(self) -> frozenset[str]:
        """Outputs that are not inputs: unknown until the resource exists."""
        return sdk.output_names(self.sdk) - self.inputs.keys()

    def check(self, inputs: Mapping[str, Any]) -> list[str]:
        """Sentences on what the service would refuse; unknown values pass."""
        return []

    def changing(self, changed: frozenset[str]) -> frozenset[str]:
        """Computed outputs that an update of these inputs gives new values."""
        return frozenset()

    def collides(self, context: Context, identity: str, inputs: Mapping[str, Any]) -> bool:
        """Whether a successor with these inputs could not stand beside the resource: then the old one has to go first."""
        return False

    def create(self, context: Context, inputs: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
        """Return id and computed outputs."""
        raise NotImplementedError

    def update(self, context: Context, identity: str, old: Mapping[str, Any], inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the computed outputs."""
        return self.create(context, inputs)[1]

    def read(self, context: Context, identity: str, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The outputs as they are now, or None when the resource has gone."""
        return outputs

    def delete(self, context: Context, identity: str, inputs: Mapping[str, Any]) -> None:
        raise NotImplementedError

    def look_up(self, context: Context, identity: str) -> tuple[str, Mapping[str, Any]] | None:
        """Id and outputs of a resource that the program reads without making it, by the id of an import; None when there is none."""
        raise UserError(f"reading {self.type} {identity!r} is not realised on one machine: only what the program makes is known")


class Function:
    """A provider's function, which looks something up and changes nothing. Blocking, called from threads.

    results: names of what it answers. secrets: those that the real provider marks as secret.
    """

    token: ClassVar[str]
    results: ClassVar[frozenset[str]]
    secrets: ClassVar[frozenset[str]] = frozenset()

    def call(self, context: Context, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Raises `UserError` for what the service would refuse."""
        raise NotImplementedError


def known(inputs: Mapping[str, Any], *names: str) -> bool:
    """Whether nothing in these inputs has yet to be answered by another resource."""
    return not any(values.holds(inputs.get(name), values.Unknown) for name in names)


def find(realisers: Mapping[str, Realiser], type_: str, name: str) -> Realiser:
    """Raises `UserError` for a type that the table lacks."""
    realiser = realisers.get(type_)
    if realiser is None:
        raise UserError(f"the local cloud does not know the type {type_} of resource {name!r}: a realiser for it belongs in local/bindings")
    return realiser


def find_function(functions: Mapping[str, Function], token: str) -> Function:
    """Raises `UserError` for a function that the table lacks."""
    function = functions.get(token)
    if function is None:
        raise UserError(f"the local cloud does not know the function {token}: it belongs in local/bindings")
    return function


@dataclass(frozen=True)
class Failure:
    """What is wrong with an input; `property` is "" where it concerns several."""

    property: str
    reason: str


def failures(realiser: Realiser, inputs: Mapping[str, Any], root: Path) -> Iterator[Failure]:
    """What the engine or the service would refuse: an input that there is not, of another type, or out of bounds."""
    known_inputs = realiser.inputs
    sound = True
    for key, value in inputs.items():
        reason = None
        if key not in known_inputs:
            reason = f"has no input {key!r}; known are {', '.join(sorted(known_inputs))}"
        elif key not in realiser.supported and value is not None:
            reason = f"the input {key!r} is not realised on one machine"
        elif found := realiser.misfit(key, value):
            reason = found
        elif isinstance(value, values.Archive) and not (root / value.path).is_file():
            reason = f"{key}: there is no file {value.path}"
        if reason:
            sound = False
            yield Failure(key, reason)
    if sound:  # the realiser reads values by the types that they are to have
        yield from (Failure("", sentence) for sentence in realiser.check(values.reveal(inputs)))


def check(realiser: Realiser, name: str, inputs: Mapping[str, Any], root: Path) -> None:
    """Raise `UserError` for the first of the failures."""
    for failure in failures(realiser, inputs, root):
        raise UserError(f"{realiser.type} {name!r}: {failure.reason}")


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> frozenset[str]:
    """Inputs that differ; an unknown one may."""
    return frozenset(key for key in old.keys() | new.keys() if _differ(old.get(key), new.get(key)))


def _differ(old: Any, new: Any) -> bool:
    return values.holds(new, values.Unknown) or old != new


def to_create(realiser: Realiser, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The outputs that a preview shows of a resource that is to be made."""
    return {**inputs, **dict.fromkeys(realiser.computed, values.UNKNOWN)}


def to_update(realiser: Realiser, outputs: Mapping[str, Any], inputs: Mapping[str, Any], changed: frozenset[str]) -> dict[str, Any]:
    """The outputs that a preview shows of a resource whose inputs change: as they were, but for those that get new values."""
    return {**outputs, **inputs, **dict.fromkeys(realiser.changing(changed), values.UNKNOWN)}


def made(realiser: Realiser, inputs: Mapping[str, Any], computed: Mapping[str, Any]) -> dict[str, Any]:
    """The outputs of a resource that has been made real. Raises `UserError` when the realiser leaves one out."""
    if missing := realiser.computed - computed.keys():
        raise UserError(f"the realiser leaves out {', '.join(sorted(missing))}")
    return {**inputs, **computed}
