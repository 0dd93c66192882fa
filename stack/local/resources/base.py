"""Resource handlers: the CRUD operations of each resource type in the local cloud.

Both front ends use them: `stack up` (`stack.local.deploy`), and Pulumi's engine through the gRPC
provider (`stack.local.pulumi_provider`).
"""

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
        """Return the ports of a stack, which stay the same between runs."""
        ...

    def service(self, kind: type[Service]) -> Service:
        """Return the emulated service of that class, once it is available.

        KeyError for a class that is not registered.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Context:
    """What one call of a handler works with.

    urn: of the resource; "" where there is none.
    root: the checkout; paths of archives are relative to it.
    cancelled: long operations poll it and end early when it is set.
    progress: shows one line of text to the user.
    """

    cloud: Cloud
    urn: str
    stack: str
    region: str
    root: Path
    cancelled: threading.Event = field(default_factory=threading.Event)
    progress: Callable[[str], None] = lambda _line: None


class ResourceHandler:
    """The operations of one resource type. They block, and may run in several threads at once.

    They are idempotent by physical name, and none waits for another resource. Inputs and outputs
    are plain values by wire name (camelCase), without `values.Secret`.

    sdk: the SDK's class; it declares the inputs, and the outputs that a handler has to return.
    supported: inputs that the local cloud implements; any other one is refused.
    replaces: inputs whose change replaces the resource ("forces replacement" in the provider's
        documentation).
    no_local_effect: those of them that mean nothing here, such as a region of Neon. Their change
        updates the local resource in place, so that no local data is lost by it.
    secrets: outputs that the real provider marks as secret.
    data_loss: what is lost when the resource is replaced or deleted, as the object of "loses"; ""
        where it can be created again without a loss.
    """

    sdk: ClassVar[type[pulumi.CustomResource]]
    replaces: ClassVar[frozenset[str]] = frozenset()
    no_local_effect: ClassVar[frozenset[str]] = frozenset()
    secrets: ClassVar[frozenset[str]] = frozenset()
    supported: ClassVar[frozenset[str]]
    data_loss: ClassVar[str] = ""

    @property
    def type(self) -> str:
        """The type token of Pulumi (`package:module:Type`)."""
        # The SDK's generated classes set the attribute.
        return str(self.sdk.pulumi_type)  # pyright: ignore[reportAttributeAccessIssue]

    @property
    def inputs(self) -> Mapping[str, Any]:
        """Input name → type, as the SDK's signature declares it."""
        return sdk.input_types(self.sdk)

    def type_mismatch(self, name: str, value: Any) -> str | None:
        """Say where an input's value is not of the type in `inputs`; None when it matches."""
        return sdk.type_mismatch(value, self.inputs[name], name)

    @property
    def replaces_locally(self) -> frozenset[str]:
        """Inputs whose change replaces the local resource."""
        return self.replaces - self.no_local_effect

    @property
    def computed(self) -> frozenset[str]:
        """Outputs that are not inputs: unknown until the resource exists."""
        return sdk.output_names(self.sdk) - self.inputs.keys()

    def check(self, inputs: Mapping[str, Any]) -> list[str]:
        """Return a sentence for each rule of the service that the inputs violate.

        Unknown values pass.
        """
        return []

    def recomputed_outputs(self, changed: frozenset[str]) -> frozenset[str]:
        """Return the computed outputs that get new values when these inputs are updated."""
        return frozenset()

    def must_delete_before_create(
        self, context: Context, identity: str, inputs: Mapping[str, Any]
    ) -> bool:
        """Return whether a replacement with these inputs cannot exist beside the old resource."""
        return False

    def create(self, context: Context, inputs: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
        """Create the resource, or adopt what an interrupted call created; id, computed outputs.

        Raises `UserError` for what the service would refuse.
        """
        raise NotImplementedError

    def update(
        self, context: Context, identity: str, old: Mapping[str, Any], inputs: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Update the resource in place; its computed outputs."""
        return self.create(context, inputs)[1]

    def read(
        self, context: Context, identity: str, inputs: Mapping[str, Any], outputs: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        """Return the current outputs, or None when the resource no longer exists."""
        return outputs

    def delete(self, context: Context, identity: str, inputs: Mapping[str, Any]) -> None:
        """Delete the resource; no error when it no longer exists."""
        raise NotImplementedError

    def lost_data(self, context: Context, identity: str) -> str:
        """Return the data that `delete` would delete now, in numbers; "" where there is none."""
        return ""

    def look_up(self, context: Context, identity: str) -> tuple[str, Mapping[str, Any]] | None:
        """Return id and outputs of a resource that the program reads (`.get`) but does not own.

        identity: as for `pulumi import`. None when there is no such resource.
        """
        raise UserError(
            f"reading {self.type} {identity!r} is not supported locally: "
            "the local cloud has only what the program creates"
        )


class Function:
    """A provider function: it looks something up and changes nothing. It blocks.

    results: names of the values that it returns. secrets: those that the real provider marks as
    secret.
    """

    token: ClassVar[str]
    results: ClassVar[frozenset[str]]
    secrets: ClassVar[frozenset[str]] = frozenset()

    def call(self, context: Context, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the results. Raises `UserError` for what the service would refuse."""
        raise NotImplementedError


def all_known(inputs: Mapping[str, Any], *names: str) -> bool:
    """Return whether none of these inputs holds an unknown value."""
    return not any(values.holds(inputs.get(name), values.Unknown) for name in names)


def find_handler(handlers: Mapping[str, ResourceHandler], type_: str, name: str) -> ResourceHandler:
    """Return the handler of a type. Raises `UserError` for a type that has none."""
    handler = handlers.get(type_)
    if handler is None:
        raise UserError(
            f"the local cloud does not know the type {type_} of resource {name!r}: "
            "a handler for it belongs in stack/local"
        )
    return handler


def find_function(functions: Mapping[str, Function], token: str) -> Function:
    """Return the function of a token. Raises `UserError` for a token that has none."""
    function = functions.get(token)
    if function is None:
        raise UserError(
            f"the local cloud does not know the function {token}: it belongs in stack/local"
        )
    return function


@dataclass(frozen=True)
class CheckFailure:
    """Why an input is refused; `property` is "" where the reason concerns several inputs."""

    property: str
    reason: str


def check_failures(
    handler: ResourceHandler, inputs: Mapping[str, Any], root: Path
) -> Iterator[CheckFailure]:
    """Yield what Pulumi's engine or the service would refuse.

    That is an unknown or unsupported input, a wrong type, a missing archive below `root`, or what
    `handler.check` refuses.
    """
    declared = handler.inputs
    well_typed = True
    for key, value in inputs.items():
        reason = None
        if key not in declared:
            reason = f"has no input {key!r}; known are {', '.join(sorted(declared))}"
        elif key not in handler.supported and value is not None:
            reason = f"the input {key!r} is not supported locally"
        elif mismatch := handler.type_mismatch(key, value):
            reason = mismatch
        elif isinstance(value, values.Archive) and not (root / value.path).is_file():
            reason = f"{key}: there is no file {value.path}"
        if reason:
            well_typed = False
            yield CheckFailure(key, reason)
    if well_typed:  # `handler.check` relies on the declared types
        for sentence in handler.check(values.reveal(inputs)):
            yield CheckFailure("", sentence)


def check(handler: ResourceHandler, name: str, inputs: Mapping[str, Any], root: Path) -> None:
    """Raise `UserError` for the first of `check_failures`."""
    for failure in check_failures(handler, inputs, root):
        raise UserError(f"{handler.type} {name!r}: {failure.reason}")


def changed_inputs(old: Mapping[str, Any], new: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of inputs that differ, or that may differ because the new one is unknown."""
    return frozenset(key for key in old.keys() | new.keys() if _differ(old.get(key), new.get(key)))


def _differ(old: Any, new: Any) -> bool:
    return values.holds(new, values.Unknown) or old != new


def preview_create(handler: ResourceHandler, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the outputs that a preview shows for a new resource: computed ones are unknown."""
    return {**inputs, **dict.fromkeys(handler.computed, values.UNKNOWN)}


def preview_update(
    handler: ResourceHandler,
    outputs: Mapping[str, Any],
    inputs: Mapping[str, Any],
    changed: frozenset[str],
) -> dict[str, Any]:
    """Return the outputs that a preview shows for an update in place of the inputs in `changed`.

    Computed outputs keep their values, except those that the update recomputes: they are unknown.
    """
    return {
        **outputs,
        **inputs,
        **dict.fromkeys(handler.recomputed_outputs(changed), values.UNKNOWN),
    }


def final_outputs(
    handler: ResourceHandler, inputs: Mapping[str, Any], computed: Mapping[str, Any]
) -> dict[str, Any]:
    """Return all outputs of a created or updated resource.

    Raises `UserError` when the handler has left out a declared one.
    """
    if missing := handler.computed - computed.keys():
        raise UserError(f"the handler leaves out {', '.join(sorted(missing))}")
    return {**inputs, **computed}
