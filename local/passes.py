"""The two passes of an evaluation: the preview that plans and refuses, and the one that makes resources real."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from components.errors import UserError
from local import realise, sdk, values
from local.realise import Realiser
from local.state import ResourceState

if TYPE_CHECKING:
    from local.evaluate import Evaluation

PROVIDER_PREFIX = "pulumi:providers:"


class Step(StrEnum):
    """What is to be done with a resource."""

    SAME = "same"
    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"


class Status(StrEnum):
    """How far a resource has come."""

    PLANNED = "planned"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Progress:
    """A resource has moved on: `seconds` since it was begun, 0 before."""

    urn: str
    type: str
    name: str
    step: Step
    status: Status
    seconds: float = 0.0


class ResourceError(UserError):
    """A resource that could not be made real; names it."""


class Pass:
    """What both passes share: the door at which a registration is unwrapped, checked and known by its name."""

    def __init__(self, evaluation: "Evaluation") -> None:
        self.evaluation = evaluation
        self.registered: dict[str, sdk.Registration] = {}
        self.outputs: Mapping[str, Any] = {}
        self._lock = threading.Lock()

    def go_on(self) -> None:
        """Raise `UserError` when the run has been cancelled."""
        if self.evaluation.cancelled.is_set():
            raise UserError("stopped")

    def register(self, registration: sdk.Registration) -> tuple[str, Mapping[str, Any]]:
        self.go_on()
        with self._lock:
            if registration.urn in self.registered:
                raise UserError(f"the name {registration.name!r} is used twice for {registration.type}")
            self.registered[registration.urn] = registration
        if not registration.custom:
            return "", {}
        if registration.type.startswith(PROVIDER_PREFIX):
            return registration.name, registration.inputs
        return self._custom(registration, self._realiser(registration))

    def _realiser(self, registration: sdk.Registration) -> Realiser:
        realiser = realise.find(self.evaluation.realisers, registration.type, registration.name)
        realise.check(realiser, registration.name, registration.inputs, self.evaluation.program.path.parent)
        return realiser

    def _custom(self, registration: sdk.Registration, realiser: Realiser) -> tuple[str, Mapping[str, Any]]:
        raise NotImplementedError

    def finish(self, urn: str, outputs: Mapping[str, Any]) -> None:
        if urn.split("::")[2] == sdk.STACK_TYPE:
            self.outputs = outputs

    def read(self, type_: str, name: str, identity: str) -> tuple[str, Mapping[str, Any]]:
        self.go_on()
        realiser = realise.find(self.evaluation.realisers, type_, name)
        found = realiser.look_up(self.evaluation.context(""), identity)
        if found is None:
            raise UserError(f"{type_} {name!r}: there is no {identity}")
        return found[0], values.mark(found[1], realiser.secrets)

    def invoke(self, token: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        self.go_on()
        function = realise.find_function(self.evaluation.functions, token)
        answer = function.call(self.evaluation.context(""), values.reveal(arguments))
        return values.mark({**arguments, **answer}, function.secrets)

    def log(self, message: str) -> None:
        self.evaluation.context("").progress(message)

    def _plain(self, registration: sdk.Registration) -> dict[str, Any]:
        """Inputs without secret wrappers, archives with their hashes."""
        root = self.evaluation.program.path.parent
        inputs = {key: value for key, value in registration.inputs.items() if value is not None}
        return values.transform(values.reveal(inputs), lambda leaf: leaf.hashed(root) if isinstance(leaf, values.Archive) else leaf)

    def _step(self, realiser: Realiser, old: ResourceState | None, inputs: Mapping[str, Any]) -> tuple[Step, frozenset[str]]:
        if old is None:
            return Step.CREATE, frozenset()
        changed = realise.changes(old.inputs, inputs)
        if not changed:
            return Step.SAME, changed
        return (Step.REPLACE if changed & realiser.replaces else Step.UPDATE), changed

    def _wrapped(self, registration: sdk.Registration, realiser: Realiser, outputs: Mapping[str, Any]) -> Mapping[str, Any]:
        return values.mark(outputs, _secret_names(registration, realiser))

    def _report(self, registration: sdk.Registration, step: Step, status: Status, begun: float | None = None) -> None:
        self.evaluation.report(
            Progress(
                urn=registration.urn,
                type=registration.type,
                name=registration.name,
                step=step,
                status=status,
                seconds=0.0 if begun is None else time.monotonic() - begun,
            )
        )


def _secret_names(registration: sdk.Registration, realiser: Realiser) -> frozenset[str]:
    wrapped = {key for key, value in registration.inputs.items() if values.holds(value, values.Secret)}
    return realiser.secrets | frozenset(registration.secret_outputs) | wrapped


class Plan(Pass):
    """The preview: says what would be done, and touches nothing."""

    def __init__(self, evaluation: "Evaluation") -> None:
        super().__init__(evaluation)
        self.steps: dict[str, Step] = {}

    def _custom(self, registration: sdk.Registration, realiser: Realiser) -> tuple[str, Mapping[str, Any]]:
        old = _present(self.evaluation, registration.urn, realiser)
        inputs = self._plain(registration)
        step, changed = self._step(realiser, old, inputs)
        self.steps[registration.urn] = step
        self._report(registration, step, Status.PLANNED)
        if old is None or step is Step.REPLACE:
            if old is not None and old.protect:
                raise UserError(f"{registration.name!r} is protected and a change of {', '.join(sorted(changed))} would replace it")
            return "", self._wrapped(registration, realiser, realise.to_create(realiser, inputs))
        return old.id, self._wrapped(registration, realiser, realise.to_update(realiser, old.outputs, inputs, changed))

    def finish_plan(self) -> None:
        for resource in self.evaluation.state.all():
            if resource.urn not in self.registered and resource.protect:
                raise UserError(f"{resource.urn.split('::')[-1]!r} is protected and the program no longer has it")


class Apply(Pass):
    """The real pass."""

    def _custom(self, registration: sdk.Registration, realiser: Realiser) -> tuple[str, Mapping[str, Any]]:
        old = _present(self.evaluation, registration.urn, realiser)
        inputs = self._plain(registration)
        step, _ = self._step(realiser, old, inputs)
        begun = time.monotonic()
        if step is not Step.SAME:
            self._report(registration, step, Status.RUNNING)
        try:
            identity, computed = self._realise(registration, realiser, step, old, inputs)
            outputs = realise.made(realiser, inputs, computed)
        except Exception as error:
            self._report(registration, step, Status.FAILED, begun)
            raise _of_resource(registration.type, registration.name, error) from error
        made = ResourceState(
            urn=registration.urn,
            type=registration.type,
            id=identity,
            inputs=inputs,
            outputs=outputs,
            secrets=sorted(_secret_names(registration, realiser)),
            protect=registration.protect,
        )
        if made != self.evaluation.state.get(registration.urn):
            self.evaluation.state.put(made)
        self._report(registration, step, Status.DONE, begun)
        return identity, self._wrapped(registration, realiser, outputs)

    def _realise(
        self, registration: sdk.Registration, realiser: Realiser, step: Step, old: ResourceState | None, inputs: Mapping[str, Any]
    ) -> tuple[str, Mapping[str, Any]]:
        context = self.evaluation.context(registration.urn)
        if old is None:
            return realiser.create(context, inputs)
        if step is Step.SAME:
            return old.id, {key: value for key, value in old.outputs.items() if key not in old.inputs}
        if step is Step.UPDATE:
            return old.id, realiser.update(context, old.id, old.inputs, inputs)
        if registration.delete_before_replace or realiser.collides(context, old.id, inputs):
            realiser.delete(context, old.id, old.inputs)
            self.evaluation.state.remove(old.urn)
        else:
            self.evaluation.state.discard(old)
        return realiser.create(context, inputs)

    def clean(self) -> None:
        """Delete what was replaced, by this run or one that was cut short, then what the program no longer has, the youngest first."""
        state = self.evaluation.state
        for old in state.discarded():
            current = state.get(old.urn)
            if current is None or current.id != old.id:
                self._delete(old)
            state.forget(old)
        for old in reversed(state.all()):
            if old.urn not in self.registered:
                self._delete(old)
                state.remove(old.urn)

    def _delete(self, old: ResourceState) -> None:
        self.go_on()
        name = old.urn.split("::")[-1]
        realiser = realise.find(self.evaluation.realisers, old.type, name)
        begun = time.monotonic()
        progress = Progress(urn=old.urn, type=old.type, name=name, step=Step.DELETE, status=Status.RUNNING)
        self.evaluation.report(progress)
        try:
            realiser.delete(self.evaluation.context(old.urn), old.id, old.inputs)
        except Exception as error:
            self.evaluation.report(replace(progress, status=Status.FAILED, seconds=time.monotonic() - begun))
            raise _of_resource(old.type, name, error) from error
        self.evaluation.report(replace(progress, status=Status.DONE, seconds=time.monotonic() - begun))


def _of_resource(type_: str, name: str, error: Exception) -> ResourceError:
    what = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
    return ResourceError(f"{type_} {name!r}: {what}")


def _present(evaluation: "Evaluation", urn: str, realiser: Realiser) -> ResourceState | None:
    """The state of a resource with outputs as they are now; None when it was never made or has gone."""
    old = evaluation.state.get(urn)
    if old is None:
        return None
    outputs = realiser.read(evaluation.context(urn), old.id, old.inputs, old.outputs)
    return None if outputs is None else replace(old, outputs=outputs)
