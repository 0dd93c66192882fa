"""Realisers: how each resource type is made real on this machine. Both ways in (`evaluate`, and the engine's provider) use them."""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

import pulumi

from common.errors import UserError
from stack.local.resources import sdk, values
from stack.local.resources.store import Store
from stack.local.system.ports import StackPorts

Service = TypeVar("Service")


class Cloud(Protocol):
    """The part of the local cloud that resource handlers use."""

    @property
    def store(self) -> Store: ...

    def ports(self, stack: str) -> StackPorts:
        """Return the ports of a stack; they are chosen once and kept."""
        ...

    def service(self, kind: type[Service]) -> Service:
        """Return the emulated service of that class, once it is available. KeyError for a class that is not registered."""
        ...


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a handler works with. `cancelled` is to be polled in long work; `progress` takes a line for the person who waits."""

    cloud: Cloud
    urn: str
    stack: str
    region: str
    root: Path
    cancelled: threading.Event = field(default_factory=threading.Event)
    progress: Callable[[str], None] = lambda _line: None


class ResourceHandler:
    """One resource type. Blocking, called from threads, idempotent by physical name; none waits for another resource.

    sdk: the SDK's class; its signature says which inputs there are, and its outputs which must be answered.
    replaces: inputs whose change makes another resource (the provider's documentation, "forces replacement").
    secrets: outputs that the real provider marks as secret.
    data_loss: what goes with a resource that is replaced or deleted, as an object of "loses"; "" for what can be made again as it was.
    """

    sdk: ClassVar[type[pulumi.CustomResource]]
    replaces: ClassVar[frozenset[str]] = frozenset()
    secrets: ClassVar[frozenset[str]] = frozenset()
    supported: ClassVar[frozenset[str]]
    data_loss: ClassVar[str] = ""

    @property
    def type(self) -> str:
        return str(self.sdk.pulumi_type)  # pyright: ignore[reportAttributeAccessIssue] - set by the SDK's generated classes

    @property
    def inputs(self) -> Mapping[str, Any]:
        """Input name → type, as the SDK's signature has it."""
        return sdk.input_types(self.sdk)

    def type_mismatch(self, name: str, value: Any) -> str | None:
        """Say where an input's value is of another type than `inputs` has, or None."""
        return sdk.type_mismatch(value, self.inputs[name], name)

    @property
    def computed(self) -> frozenset[str]:
        """Outputs that are not inputs: unknown until the resource exists."""
        return sdk.output_names(self.sdk) - self.inputs.keys()

    def check(self, inputs: Mapping[str, Any]) -> list[str]:
        """Sentences on what the service would refuse; unknown values pass."""
        return []

    def recomputed_outputs(self, changed: frozenset[str]) -> frozenset[str]:
        """Computed outputs that an update of these inputs gives new values."""
        return frozenset()

    def must_delete_before_create(
        self, context: Context, identity: str, inputs: Mapping[str, Any]
    ) -> bool:
        """Whether a successor with these inputs could not stand beside the resource: then the old one has to go first."""
        return False

    def create(self, context: Context, inputs: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
        """Return id and computed outputs."""
        raise NotImplementedError

    def update(
        self, context: Context, identity: str, old: Mapping[str, Any], inputs: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Return the computed outputs."""
        return self.create(context, inputs)[1]

    def read(
        self, context: Context, identity: str, inputs: Mapping[str, Any], outputs: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        """The outputs as they are now, or None when the resource has gone."""
        return outputs

    def delete(self, context: Context, identity: str, inputs: Mapping[str, Any]) -> None:
        raise NotImplementedError

    def look_up(self, context: Context, identity: str) -> tuple[str, Mapping[str, Any]] | None:
        """Id and outputs of a resource that the program reads without making it, by the id of an import; None when there is none."""
        raise UserError(
            f"reading {self.type} {identity!r} is not realised on one machine: only what the program makes is known"
        )


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


def all_known(inputs: Mapping[str, Any], *names: str) -> bool:
    """Whether nothing in these inputs has yet to be answered by another resource."""
    return not any(values.holds(inputs.get(name), values.Unknown) for name in names)


def find_handler(handlers: Mapping[str, ResourceHandler], type_: str, name: str) -> ResourceHandler:
    """Raises `UserError` for a type that the table lacks."""
    handler = handlers.get(type_)
    if handler is None:
        raise UserError(
            f"the local cloud does not know the type {type_} of resource {name!r}: a handler for it belongs in stack/local"
        )
    return handler


def find_function(functions: Mapping[str, Function], token: str) -> Function:
    """Raises `UserError` for a function that the table lacks."""
    function = functions.get(token)
    if function is None:
        raise UserError(
            f"the local cloud does not know the function {token}: it belongs in stack/local"
        )
    return function


@dataclass(frozen=True)
class Failure:
    """What is wrong with an input; `property` is "" where it concerns several."""

    property: str
    reason: str


def failures(handler: ResourceHandler, inputs: Mapping[str, Any], root: Path) -> Iterator[Failure]:
    """What the engine or the service would refuse: an input that there is not, of another type, or out of bounds."""
    known_inputs = handler.inputs
    sound = True
    for key, value in inputs.items():
        reason = None
        if key not in known_inputs:
            reason = f"has no input {key!r}; known are {', '.join(sorted(known_inputs))}"
        elif key not in handler.supported and value is not None:
            reason = f"the input {key!r} is not realised on one machine"
        elif found := handler.type_mismatch(key, value):
            reason = found
        elif isinstance(value, values.Archive) and not (root / value.path).is_file():
            reason = f"{key}: there is no file {value.path}"
        if reason:
            sound = False
            yield Failure(key, reason)
    if sound:  # the handler reads values by the types that they are to have
        yield from (Failure("", sentence) for sentence in handler.check(values.reveal(inputs)))


def check(handler: ResourceHandler, name: str, inputs: Mapping[str, Any], root: Path) -> None:
    """Raise `UserError` for the first of the failures."""
    for failure in failures(handler, inputs, root):
        raise UserError(f"{handler.type} {name!r}: {failure.reason}")


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> frozenset[str]:
    """Inputs that differ; an unknown one may."""
    return frozenset(key for key in old.keys() | new.keys() if _differ(old.get(key), new.get(key)))


def _differ(old: Any, new: Any) -> bool:
    return values.holds(new, values.Unknown) or old != new


def preview_create(handler: ResourceHandler, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The outputs that a preview shows of a resource that is to be made."""
    return {**inputs, **dict.fromkeys(handler.computed, values.UNKNOWN)}


def preview_update(
    handler: ResourceHandler,
    outputs: Mapping[str, Any],
    inputs: Mapping[str, Any],
    changed: frozenset[str],
) -> dict[str, Any]:
    """The outputs that a preview shows of a resource whose inputs change: as they were, but for those that get new values."""
    return {
        **outputs,
        **inputs,
        **dict.fromkeys(handler.recomputed_outputs(changed), values.UNKNOWN),
    }


def final_outputs(
    handler: ResourceHandler, inputs: Mapping[str, Any], computed: Mapping[str, Any]
) -> dict[str, Any]:
    """The outputs of a resource that has been made real. Raises `UserError` when the handler leaves one out."""
    if missing := handler.computed - computed.keys():
        raise UserError(f"the handler leaves out {', '.join(sorted(missing))}")
    return {**inputs, **computed}
