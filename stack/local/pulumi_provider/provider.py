"""The provider that Pulumi's engine talks to: one for all packages, over the table of handlers.

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

from common.errors import UserError
from config.naming import DEFAULT_REGION
from stack.local.pulumi_provider import wire
from stack.local.pulumi_provider.calls import Calls
from stack.local.pulumi_provider.package import Package
from stack.local.pulumi_provider.wire import plain, protocol
from stack.local.resources import base, values
from stack.local.resources.base import Context, ResourceHandler
from stack.local.resources.store import stack_of
from stack.local.system.processes import AbandonedError

if TYPE_CHECKING:
    from stack.local.cloud import Cloud


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
            found = base.failures(
                self._handler(request.urn), values.decode(request.news), self.root
            )
            failures = wire.failures((failure.property, failure.reason) for failure in found)
            return protocol.CheckResponse(inputs=request.news, failures=failures)

    def Diff(self, request: Any, context: grpc.ServicerContext) -> Any:
        with _told(context):
            handler, new = self._handler(request.urn), plain(request.news)
            changed = base.changes(plain(request.old_inputs), new)
            delete_first = handler.must_delete_before_create(
                self._context(request.urn), request.id, new
            )
            return wire.difference(changed, changed & handler.replaces, delete_first=delete_first)

    def Create(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Makes it, or takes over what a call that was cut short has made."""
        with self._call(request.urn, context) as work:
            handler, inputs = self._handler(request.urn), plain(request.properties)
            if request.preview:
                return protocol.CreateResponse(
                    properties=wire.outputs(handler, base.preview_create(handler, inputs))
                )
            identity, computed = handler.create(work, inputs)
            return protocol.CreateResponse(
                id=identity,
                properties=wire.outputs(handler, base.final_outputs(handler, inputs, computed)),
            )

    def Update(self, request: Any, context: grpc.ServicerContext) -> Any:
        with self._call(request.urn, context) as work:
            handler, old, inputs = (
                self._handler(request.urn),
                plain(request.old_inputs),
                plain(request.news),
            )
            if request.preview:
                outputs = base.preview_update(
                    handler, plain(request.olds), inputs, base.changes(old, inputs)
                )
            else:
                outputs = base.final_outputs(
                    handler, inputs, handler.update(work, request.id, old, inputs)
                )
            return protocol.UpdateResponse(properties=wire.outputs(handler, outputs))

    def Read(self, request: Any, context: grpc.ServicerContext) -> Any:
        """An answer without an id says that it has gone."""
        with self._call(request.urn, context) as work:
            handler, before = self._handler(request.urn), plain(request.properties)
            inputs = plain(request.inputs)
            if (
                inputs or before
            ):  # what a program has read is refreshed by its outputs: it has no inputs
                outputs = handler.read(work, request.id, inputs or before, before)
                found = None if outputs is None else (request.id, outputs)
            else:  # `.get` in a program, or an import: the id is all that is known
                found = handler.look_up(work, request.id)
            if found is None:
                return protocol.ReadResponse()
            identity, outputs = found
            present = {
                name: outputs[name] for name in inputs or handler.supported if name in outputs
            }
            return protocol.ReadResponse(
                id=identity,
                properties=wire.outputs(handler, outputs),
                inputs=values.encode(present),
            )

    def Delete(self, request: Any, context: grpc.ServicerContext) -> Any:
        with self._call(request.urn, context) as work:
            self._handler(request.urn).delete(work, request.id, plain(request.old_inputs))
            return empty_pb2.Empty()

    def Invoke(self, request: Any, context: grpc.ServicerContext) -> Any:
        with _told(context):
            function = base.find_function(self.table.functions, request.tok)
            arguments = plain(request.args)
            answer = function.call(self._context(""), arguments)
            return protocol.InvokeResponse(
                **{"return": wire.marked({**arguments, **answer}, function.secrets)}
            )

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.calls.cancel(context.peer())
        return empty_pb2.Empty()

    def _handler(self, urn: str) -> ResourceHandler:
        return base.find_handler(self.table.handlers, wire.type_of(urn), wire.name_of(urn))

    @contextmanager
    def _call(self, urn: str, context: grpc.ServicerContext) -> Generator[Context]:
        with _told(context), self.calls.track(urn, context) as cancelled:
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
