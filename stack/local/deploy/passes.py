"""The two passes of an evaluation: `Preview` plans and refuses, `Update` provisions the resources.

They implement the part of Pulumi's engine that `stack up` needs: each registration of the program
is compared with the stack's state, which gives the step (create, update, replace, same). A resource
that is replaced is deleted after the pass, when its dependents already use the new one; so is a
resource that the program no longer registers.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from common.errors import UserError
from common.storage import storage_problem
from stack.local.deploy.state import ResourceState, StackState
from stack.local.resources import base, sdk, values
from stack.local.resources.base import Context, Function, ResourceHandler
from stack.local.system.events import Progress, Status, Step

PROVIDER_PREFIX = "pulumi:providers:"


class ResourceError(UserError):
    """Raised for a resource that cannot be provisioned or deleted; the text names it."""


@dataclass(kw_only=True)
class Pass:
    """Handles the program's requests during one evaluation (implements `sdk.Host`).

    Its methods are called from several threads, for independent resources at the same time. The
    fields are those of `Evaluation`.

    registered: by URN, what the program has registered so far. outputs: of the stack.
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
        """Check a registration and pass a custom resource to its handler; return id and outputs.

        Raises `UserError` for a name that is used twice, an unknown type or refused inputs.
        """
        self.raise_if_cancelled()
        with self._lock:
            if registration.urn in self.registered:
                raise UserError(
                    f"the name {registration.name!r} is used twice for {registration.type}"
                )
            self.registered[registration.urn] = registration
        if not registration.custom:  # a component exists in the program only
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
        """Store the stack's outputs; those of components are not used."""
        if urn.split("::")[2] == sdk.STACK_TYPE:
            self.outputs = outputs

    def read(self, type_: str, name: str, identity: str) -> tuple[str, Mapping[str, Any]]:
        """Return id and outputs of a resource that the program reads by `.get`.

        Raises `UserError` when there is none.
        """
        self.raise_if_cancelled()
        handler = base.find_handler(self.handlers, type_, name)
        found = handler.look_up(self.context(""), identity)
        if found is None:
            raise UserError(f"{type_} {name!r}: there is no {identity}")
        return found[0], values.mark_secrets(found[1], handler.secrets)

    def invoke(self, token: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Call a provider function and return its arguments and results together."""
        self.raise_if_cancelled()
        function = base.find_function(self.functions, token)
        results = function.call(self.context(""), values.reveal(arguments))
        return values.mark_secrets({**arguments, **results}, function.secrets)

    def log(self, message: str) -> None:
        """Show a message that the program logs."""
        self.context("").progress(message)

    def _resource_error(self, type_: str, name: str, error: Exception) -> ResourceError:
        reason = (
            str(error)
            if isinstance(error, UserError)
            else storage_problem(error, self.program.path.parent)
            or f"{type(error).__name__}: {error}"
        )
        return ResourceError(f"{type_} {name!r}: {reason}")

    def _plain(self, registration: sdk.Registration) -> dict[str, Any]:
        """Return the inputs without nulls and secret wrappers, archives with their hashes."""
        root = self.program.path.parent
        inputs = {key: value for key, value in registration.inputs.items() if value is not None}
        return values.transform(
            values.reveal(inputs),
            lambda leaf: leaf.hashed(root) if isinstance(leaf, values.Archive) else leaf,
        )

    def _current(self, urn: str, handler: ResourceHandler) -> ResourceState | None:
        """Return a resource's state with its current outputs; None when it does not exist.

        The state may name a resource that has been deleted from the local cloud since.
        """
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
    changed = base.changed_inputs(old.inputs, inputs)
    if not changed:
        return Step.SAME, changed
    return (Step.REPLACE if changed & handler.replaces_locally else Step.UPDATE), changed


# A secret is not tracked inside the inputs that a handler gets (they are revealed). So the names of
# the secret properties are collected here, and each output of such a name is marked again.
def _secret_names(registration: sdk.Registration, handler: ResourceHandler) -> frozenset[str]:
    wrapped = {
        key for key, value in registration.inputs.items() if values.holds(value, values.Secret)
    }
    return handler.secrets | frozenset(registration.secret_outputs) | wrapped


def _mark_secrets(
    registration: sdk.Registration, handler: ResourceHandler, outputs: Mapping[str, Any]
) -> Mapping[str, Any]:
    return values.mark_secrets(outputs, _secret_names(registration, handler))


@dataclass(kw_only=True)
class Preview(Pass):
    """The first pass: reports the planned steps and changes nothing.

    Raises `UserError` for inputs that a service would refuse, and for protected resources that
    would be replaced or deleted.

    steps: by URN. losses: the data that the update would delete, a sentence for each resource.
    """

    steps: dict[str, Step] = field(default_factory=dict[str, Step])
    losses: list[str] = field(default_factory=list[str])

    def _custom(
        self, registration: sdk.Registration, handler: ResourceHandler
    ) -> tuple[str, Mapping[str, Any]]:
        old = self._current(registration.urn, handler)
        inputs = self._plain(registration)
        step, changed = _step(handler, old, inputs)
        self.steps[registration.urn] = step
        self._report(registration, step, Status.PLANNED)
        if old is None or step is Step.REPLACE:
            # The new resource's id and computed outputs are unknown, so a dependent's input that
            # uses them counts as changed, and its step is planned accordingly.
            if old is not None and old.protect:
                raise UserError(
                    f"{registration.name!r} is protected "
                    f"and a change of {', '.join(sorted(changed))} would replace it"
                )
            if old is not None:
                reason = f"replaced by a change of {', '.join(sorted(changed))}"
                self._add_loss(registration.name, handler, old, reason)
            return "", _mark_secrets(registration, handler, base.preview_create(handler, inputs))
        outputs = base.preview_update(handler, old.outputs, inputs, changed)
        return old.id, _mark_secrets(registration, handler, outputs)

    def check_deletions(self) -> None:
        """Look at the resources that the program no longer registers.

        Raises `UserError` for a protected one.
        """
        for resource in self.state.all():
            if resource.urn in self.registered:
                continue
            name = resource.urn.split("::")[-1]
            if resource.protect:
                raise UserError(f"{name!r} is protected and the program no longer has it")
            handler = base.find_handler(self.handlers, resource.type, name)
            self._add_loss(name, handler, resource, "deleted, because the program has it no longer")

    def _add_loss(
        self, name: str, handler: ResourceHandler, old: ResourceState, reason: str
    ) -> None:
        lost = handler.lost_data(self.context(old.urn), old.id)
        if lost:
            with self._lock:
                self.losses.append(f"{name} would be {reason}: {lost}")


@dataclass(kw_only=True)
class Update(Pass):
    """The second pass: provisions the resources and writes the state."""

    def _custom(
        self, registration: sdk.Registration, handler: ResourceHandler
    ) -> tuple[str, Mapping[str, Any]]:
        old = self._current(registration.urn, handler)
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
            raise self._resource_error(registration.type, registration.name, error) from error
        state = ResourceState(
            urn=registration.urn,
            type=registration.type,
            id=identity,
            inputs=inputs,
            outputs=outputs,
            secrets=sorted(_secret_names(registration, handler)),
            protect=registration.protect,
        )
        # Written after each resource, so that a killed run continues from here.
        if state != self.state.get(registration.urn):
            self.state.put(state)
        self._report(registration, step, Status.DONE, started)
        return identity, _mark_secrets(registration, handler, outputs)

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
        # Create before delete, as in Pulumi, unless the two cannot exist at the same time. In the
        # latter case the state forgets the old resource at once: when the create fails, the next
        # run has to create it, not to replace it.
        if registration.delete_before_replace or handler.must_delete_before_create(
            context, old.id, inputs
        ):
            handler.delete(context, old.id, old.inputs)
            self.state.remove(old.urn)
        else:
            self.state.add_pending_deletion(old)
        return handler.create(context, inputs)

    def delete_obsolete_resources(self) -> None:
        """Delete replaced resources, then those that the program no longer registers.

        Pending deletions of an earlier, interrupted run are included.
        """
        for old in self.state.pending_deletions():
            # A replacement that failed and whose change was then reverted leaves the old resource
            # in use: the entry is dropped, and the resource stays.
            current = self.state.get(old.urn)
            if current is None or current.id != old.id:
                self._delete(old)
            self.state.remove_pending_deletion(old)
        # The state is in the order of creation, so the reverse deletes dependents first.
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
            raise self._resource_error(old.type, name, error) from error
        self.report(replace(progress, status=Status.DONE, seconds=time.monotonic() - started))
