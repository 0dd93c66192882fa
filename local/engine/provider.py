"""The provider that Pulumi's engine talks to: one for all packages, over the table of realisers.

Nothing in a call says which package it is for except the type, so one server answers for each of them (`PULUMI_DEBUG_PROVIDERS`).
"""
# ruff: noqa: N802 - method names are the protocol's

import threading
import traceback
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf import empty_pb2

from components.errors import UserError
from components.naming import DEFAULT_REGION
from local import realise, values
from local.engine import wire
from local.engine.calls import Calls
from local.engine.package import Package
from local.engine.wire import plain, protocol
from local.processes import AbandonedError
from local.realise import Context, Realiser
from local.store import stack_of

if TYPE_CHECKING:
    from local.cloud import Cloud


@dataclass(kw_only=True)
class Provider(Package):
    """Implements `ResourceProvider` of Pulumi's `provider.proto`. Methods are called from threads.

    root: the checkout; paths of archives are relative to it.
    """

    cloud: "Cloud"
    root: Path
    progress: Callable[[str], None]
    calls: Calls = field(default_factory=Calls)

    def Check(self, request: Any, context: grpc.ServicerContext) -> Any:
        with _told(context):
            found = realise.failures(self._realiser(request.urn), values.decode(request.news), self.root)
            failures = wire.failures((failure.property, failure.reason) for failure in found)
            return protocol.CheckResponse(inputs=request.news, failures=failures)

    def Diff(self, request: Any, context: grpc.ServicerContext) -> Any:
        with _told(context):
            realiser, new = self._realiser(request.urn), plain(request.news)
            changed = realise.changes(plain(request.old_inputs), new)
            delete_first = realiser.collides(self._context(request.urn), request.id, new)
            return wire.difference(changed, changed & realiser.replaces, delete_first=delete_first)

    def Create(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Makes it, or takes over what a call that was cut short has made."""
        with self._call(request.urn, context) as work:
            realiser, inputs = self._realiser(request.urn), plain(request.properties)
            if request.preview:
                return protocol.CreateResponse(properties=wire.outputs(realiser, realise.to_create(realiser, inputs)))
            identity, computed = realiser.create(work, inputs)
            return protocol.CreateResponse(id=identity, properties=wire.outputs(realiser, realise.made(realiser, inputs, computed)))

    def Update(self, request: Any, context: grpc.ServicerContext) -> Any:
        with self._call(request.urn, context) as work:
            realiser, old, inputs = self._realiser(request.urn), plain(request.old_inputs), plain(request.news)
            if request.preview:
                outputs = realise.to_update(realiser, plain(request.olds), inputs, realise.changes(old, inputs))
            else:
                outputs = realise.made(realiser, inputs, realiser.update(work, request.id, old, inputs))
            return protocol.UpdateResponse(properties=wire.outputs(realiser, outputs))

    def Read(self, request: Any, context: grpc.ServicerContext) -> Any:
        """An answer without an id says that it has gone."""
        with self._call(request.urn, context) as work:
            realiser, before = self._realiser(request.urn), plain(request.properties)
            inputs = plain(request.inputs)
            if inputs or before:  # what a program has read is refreshed by its outputs: it has no inputs
                outputs = realiser.read(work, request.id, inputs or before, before)
                found = None if outputs is None else (request.id, outputs)
            else:  # `.get` in a program, or an import: the id is all that is known
                found = realiser.look_up(work, request.id)
            if found is None:
                return protocol.ReadResponse()
            identity, outputs = found
            present = {name: outputs[name] for name in inputs or realiser.supported if name in outputs}
            return protocol.ReadResponse(id=identity, properties=wire.outputs(realiser, outputs), inputs=values.encode(present))

    def Delete(self, request: Any, context: grpc.ServicerContext) -> Any:
        with self._call(request.urn, context) as work:
            self._realiser(request.urn).delete(work, request.id, plain(request.old_inputs))
            return empty_pb2.Empty()

    def Invoke(self, request: Any, context: grpc.ServicerContext) -> Any:
        with _told(context):
            function = realise.find_function(self.table.functions, request.tok)
            arguments = plain(request.args)
            answer = function.call(self._context(""), arguments)
            return protocol.InvokeResponse(**{"return": wire.marked({**arguments, **answer}, function.secrets)})

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.calls.cancel(context.peer())
        return empty_pb2.Empty()

    def _realiser(self, urn: str) -> Realiser:
        return realise.find(self.table.realisers, wire.type_of(urn), wire.name_of(urn))

    @contextmanager
    def _call(self, urn: str, context: grpc.ServicerContext) -> Generator[Context]:
        with _told(context), self.calls.under_way(urn, context) as cancelled:
            yield self._context(urn, cancelled)

    def _context(self, urn: str, cancelled: threading.Event | None = None) -> Context:
        stack = stack_of(urn)
        return Context(
            cloud=self.cloud,
            urn=urn,
            stack=stack,
            region=self.regions.get(stack, DEFAULT_REGION),
            root=self.root,
            cancelled=cancelled or threading.Event(),
            progress=self.progress,
        )


@contextmanager
def _told(context: grpc.ServicerContext) -> Generator[None]:
    """What goes wrong is the call's answer, which the CLI prints beside the resource."""
    try:
        yield
    except (UserError, AbandonedError) as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001 - the log has where, the answer what
        traceback.print_exc()
        reason = f"{type(error).__name__}: {error}"
    else:
        return
    context.abort(grpc.StatusCode.UNKNOWN, reason)
