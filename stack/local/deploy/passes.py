"""The two passes of an evaluation: `Preview` plans and refuses, `Update` provisions the resources."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from common.errors import UserError
from stack.local.deploy.state import ResourceState, StackState
from stack.local.resources import base, sdk, values
from stack.local.resources.base import Context, Function, ResourceHandler
from stack.local.system.events import Progress, Status, Step

PROVIDER_PREFIX = "pulumi:providers:"


class ResourceError(UserError):
    """A resource that could not be provisioned; the text names it."""


@dataclass(kw_only=True)
class Pass:
    """One evaluation of the program, in the place of Pulumi's engine (`sdk.Host`).

    context: makes the handlers' context for a URN ("" where there is none).
    report: receives the progress of each resource.
    cancelled: ends the pass at its next call with `UserError`.
    """

    program: sdk.Program
    state: StackState
    handlers: Mapping[str, ResourceHandler]
    functions: Mapping[str, Function]
    context: Callable[[str], Context]
    report: Callable[[Progress], None]
    cancelled: threading.Event
    registered: dict[str, sdk.Registration] = field(default_factory=dict[str, sdk.Registration])
    outputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def raise_if_cancelled(self) -> None:
        """Raise `UserError` when the run has been cancelled."""
        if self.cancelled.is_set():
            raise UserError("stopped")

    def register(self, registration: sdk.Registration) -> tuple[str, Mapping[str, Any]]:
        """Check a registration and hand a custom resource to its handler; id and outputs."""
        self.raise_if_cancelled()
        with self._lock:
            if registration.urn in self.registered:
                raise UserError(
                    f"the name {registration.name!r} is used twice for {registration.type}"
                )
            self.registered[registration.urn] = registration
        if not registration.custom:
            return "", {}
        if registration.type.startswith(PROVIDER_PREFIX):
            return registration.name, registration.inputs
        handler = base.find_handler(self.handlers, registration.type, registration.name)
        base.check(handler, registration.name, registration.inputs, self.program.path.parent)
        return self._custom(registration, handler)

    def _custom(
        self, registration: sdk.Registration, handler: ResourceHandler
    ) -> tuple[str, Mapping[str, Any]]:
        raise NotImplementedError

    def finish(self, urn: str, outputs: Mapping[str, Any]) -> None:
        """Keep the stack's outputs; those of components are not used."""
        if urn.split("::")[2] == sdk.STACK_TYPE:
            self.outputs = outputs

    def read(self, type_: str, name: str, identity: str) -> tuple[str, Mapping[str, Any]]:
        """Look up a resource that the program reads with `.get`; id and outputs."""
        self.raise_if_cancelled()
        handler = base.find_handler(self.handlers, type_, name)
        found = handler.look_up(self.context(""), identity)
        if found is None:
            raise UserError(f"{type_} {name!r}: there is no {identity}")
        return found[0], values.mark(found[1], handler.secrets)

    def invoke(self, token: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Call a provider function; its arguments and results together."""
        self.raise_if_cancelled()
        function = base.find_function(self.functions, token)
        results = function.call(self.context(""), values.reveal(arguments))
        return values.mark({**arguments, **results}, function.secrets)

    def log(self, message: str) -> None:
        """Pass on what the program logs."""
        self.context("").progress(message)

    def _plain(self, registration: sdk.Registration) -> dict[str, Any]:
        """Return the inputs without secret wrappers, archives with their hashes."""
        root = self.program.path.parent
        inputs = {key: value for key, value in registration.inputs.items() if value is not None}
        return values.transform(
            values.reveal(inputs),
            lambda leaf: leaf.hashed(root) if isinstance(leaf, values.Archive) else leaf,
        )

    def _present(self, urn: str, handler: ResourceHandler) -> ResourceState | None:
        """Return a resource's state with its current outputs; None when it does not exist."""
        old = self.state.get(urn)
        if old is None:
            return None
        outputs = handler.read(self.context(urn), old.id, old.inputs, old.outputs)
        return None if outputs is None else replace(old, outputs=outputs)

    def _report(
        self,
        registration: sdk.Registration,
        step: Step,
        status: Status,
        started: float | None = None,
    ) -> None:
        self.report(
            Progress(
                urn=registration.urn,
                type=registration.type,
                name=registration.name,
                step=step,
                status=status,
                seconds=0.0 if started is None else time.monotonic() - started,
            )
        )


def _step(
    handler: ResourceHandler, old: ResourceState | None, inputs: Mapping[str, Any]
) -> tuple[Step, frozenset[str]]:
    """Return the operation for a resource, and the inputs that changed."""
    if old is None:
        return Step.CREATE, frozenset()
    changed = base.changes(old.inputs, inputs)
    if not changed:
        return Step.SAME, changed
    return (Step.REPLACE if changed & handler.replaces else Step.UPDATE), changed


def _secret_names(registration: sdk.Registration, handler: ResourceHandler) -> frozenset[str]:
    wrapped = {
        key for key, value in registration.inputs.items() if values.holds(value, values.Secret)
    }
    return handler.secrets | frozenset(registration.secret_outputs) | wrapped


def _marked(
    registration: sdk.Registration, handler: ResourceHandler, outputs: Mapping[str, Any]
) -> Mapping[str, Any]:
    return values.mark(outputs, _secret_names(registration, handler))


@dataclass(kw_only=True)
class Preview(Pass):
    """The first pass: reports what would be done and changes nothing.

    Raises `UserError` for inputs that a service would refuse, and for protected resources that
    would be replaced or deleted.
    """

    steps: dict[str, Step] = field(default_factory=dict[str, Step])

    def _custom(
        self, registration: sdk.Registration, handler: ResourceHandler
    ) -> tuple[str, Mapping[str, Any]]:
        old = self._present(registration.urn, handler)
        inputs = self._plain(registration)
        step, changed = _step(handler, old, inputs)
        self.steps[registration.urn] = step
        self._report(registration, step, Status.PLANNED)
        if old is None or step is Step.REPLACE:
            if old is not None and old.protect:
                raise UserError(
                    f"{registration.name!r} is protected and a change of {', '.join(sorted(changed))} would replace it"
                )
            return "", _marked(registration, handler, base.preview_create(handler, inputs))
        outputs = base.preview_update(handler, old.outputs, inputs, changed)
        return old.id, _marked(registration, handler, outputs)

    def check_deletions(self) -> None:
        """Raise `UserError` for a protected resource that the program does not register any more."""
        for resource in self.state.all():
            if resource.urn not in self.registered and resource.protect:
                name = resource.urn.split("::")[-1]
                raise UserError(f"{name!r} is protected and the program no longer has it")


@dataclass(kw_only=True)
class Update(Pass):
    """The second pass: provisions the resources and keeps the state."""

    def _custom(
        self, registration: sdk.Registration, handler: ResourceHandler
    ) -> tuple[str, Mapping[str, Any]]:
        old = self._present(registration.urn, handler)
        inputs = self._plain(registration)
        step, _ = _step(handler, old, inputs)
        started = time.monotonic()
        if step is not Step.SAME:
            self._report(registration, step, Status.RUNNING)
        try:
            identity, computed = self._provision(registration, handler, step, old, inputs)
            outputs = base.final_outputs(handler, inputs, computed)
        except Exception as error:
            self._report(registration, step, Status.FAILED, started)
            raise _of_resource(registration.type, registration.name, error) from error
        state = ResourceState(
            urn=registration.urn,
            type=registration.type,
            id=identity,
            inputs=inputs,
            outputs=outputs,
            secrets=sorted(_secret_names(registration, handler)),
            protect=registration.protect,
        )
        if state != self.state.get(registration.urn):
            self.state.put(state)
        self._report(registration, step, Status.DONE, started)
        return identity, _marked(registration, handler, outputs)

    def _provision(
        self,
        registration: sdk.Registration,
        handler: ResourceHandler,
        step: Step,
        old: ResourceState | None,
        inputs: Mapping[str, Any],
    ) -> tuple[str, Mapping[str, Any]]:
        context = self.context(registration.urn)
        if old is None:
            return handler.create(context, inputs)
        if step is Step.SAME:
            computed = {key: value for key, value in old.outputs.items() if key not in old.inputs}
            return old.id, computed
        if step is Step.UPDATE:
            return old.id, handler.update(context, old.id, old.inputs, inputs)
        if registration.delete_before_replace or handler.must_delete_before_create(
            context, old.id, inputs
        ):
            handler.delete(context, old.id, old.inputs)
            self.state.remove(old.urn)
        else:
            self.state.discard(old)
        return handler.create(context, inputs)

    def delete_leftovers(self) -> None:
        """Delete replaced resources, then those that the program does not register any more.

        Replaced ones of an earlier, interrupted run count too; the youngest resource goes first.
        """
        for old in self.state.discarded():
            current = self.state.get(old.urn)
            if current is None or current.id != old.id:
                self._delete(old)
            self.state.forget(old)
        for old in reversed(self.state.all()):
            if old.urn not in self.registered:
                self._delete(old)
                self.state.remove(old.urn)

    def _delete(self, old: ResourceState) -> None:
        self.raise_if_cancelled()
        name = old.urn.split("::")[-1]
        handler = base.find_handler(self.handlers, old.type, name)
        started = time.monotonic()
        progress = Progress(
            urn=old.urn, type=old.type, name=name, step=Step.DELETE, status=Status.RUNNING
        )
        self.report(progress)
        try:
            handler.delete(self.context(old.urn), old.id, old.inputs)
        except Exception as error:
            seconds = time.monotonic() - started
            self.report(replace(progress, status=Status.FAILED, seconds=seconds))
            raise _of_resource(old.type, name, error) from error
        self.report(replace(progress, status=Status.DONE, seconds=time.monotonic() - started))


def _of_resource(type_: str, name: str, error: Exception) -> ResourceError:
    what = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
    return ResourceError(f"{type_} {name!r}: {what}")
