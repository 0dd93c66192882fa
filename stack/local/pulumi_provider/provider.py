"""The resource operations of the gRPC provider that Pulumi's engine calls.

One server implements every package. The engine attaches to it instead of starting a plugin
(`PULUMI_DEBUG_PROVIDERS` maps each package to its port), and a request names the package only
through the type token in its URN.
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
from stack.local.pulumi_provider.calls import InFlightCalls
from stack.local.pulumi_provider.configuration import ConfigurableProvider
from stack.local.pulumi_provider.wire import encode_with_secrets, plain_properties, protocol
from stack.local.resources import base, values
from stack.local.resources.base import Context, ResourceHandler
from stack.local.resources.store import stack_of
from stack.local.system.processes import AbandonedError

if TYPE_CHECKING:
    from stack.local.cloud import Cloud


@dataclass(kw_only=True)
class Provider(ConfigurableProvider):
    """Implements `ResourceProvider` of Pulumi's `provider.proto` with the resource handlers.

    Methods are called from several threads. In a preview nothing is created or changed.

    root: the checkout; paths of archives are relative to it.
    progress: shows one line of text to the user.
    created: by URN, the connection that created the resource last, and its id. An engine has a
        connection of its own for each command.
    """

    cloud: "Cloud"
    root: Path
    progress: Callable[[str], None]
    calls: InFlightCalls = field(default_factory=InFlightCalls)
    created: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])

    def Check(self, request: Any, context: grpc.ServicerContext) -> Any:
        with _abort_on_error(context):
            # `news` is decoded without `reveal`: the check accepts secret and unknown values.
            inputs = values.decode(request.news)
            found = base.check_failures(self._handler(request.urn), inputs, self.root)
            failures = wire.check_failures((failure.property, failure.reason) for failure in found)
            # What is returned as inputs goes into the state, so it is exactly what was sent.
            return protocol.CheckResponse(inputs=request.news, failures=failures)

    def Diff(self, request: Any, context: grpc.ServicerContext) -> Any:
        with _abort_on_error(context):
            handler, new = self._handler(request.urn), plain_properties(request.news)
            changed = base.changed_inputs(plain_properties(request.old_inputs), new)
            delete_first = handler.must_delete_before_create(
                self._context(request.urn), request.id, new
            )
            return wire.diff_response(
                changed, changed & handler.replaces_locally, delete_first=delete_first
            )

    def Create(self, request: Any, context: grpc.ServicerContext) -> Any:
        with self._call(request.urn, context) as call:
            handler, inputs = self._handler(request.urn), plain_properties(request.properties)
            if request.preview:
                outputs = base.preview_create(handler, inputs)
                return protocol.CreateResponse(
                    properties=encode_with_secrets(outputs, handler.secrets)
                )
            identity, computed = handler.create(call, inputs)
            outputs = base.final_outputs(handler, inputs, computed)
            self.created[request.urn] = (context.peer(), identity)
            return protocol.CreateResponse(
                id=identity, properties=encode_with_secrets(outputs, handler.secrets)
            )

    def Update(self, request: Any, context: grpc.ServicerContext) -> Any:
        with self._call(request.urn, context) as call:
            handler = self._handler(request.urn)
            old, inputs = plain_properties(request.old_inputs), plain_properties(request.news)
            if request.preview:
                # `olds` are the outputs of the state, `old_inputs` its inputs.
                changed = base.changed_inputs(old, inputs)
                before = plain_properties(request.olds)
                outputs = base.preview_update(handler, before, inputs, changed)
            else:
                computed = handler.update(call, request.id, old, inputs)
                outputs = base.final_outputs(handler, inputs, computed)
            return protocol.UpdateResponse(properties=encode_with_secrets(outputs, handler.secrets))

    def Read(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Return the current state of a resource; without an id when it no longer exists.

        The engine calls it for a refresh, for `.get` in a program, and for `pulumi import`.
        """
        with self._call(request.urn, context) as call:
            handler, before = self._handler(request.urn), plain_properties(request.properties)
            inputs = plain_properties(request.inputs)
            # A refresh sends the state's properties; one of a resource that the program reads by
            # `.get` has no inputs, because the engine stores none for it. The first `.get` and an
            # import send the id alone.
            if inputs or before:
                outputs = handler.read(call, request.id, inputs or before, before)
                found = None if outputs is None else (request.id, outputs)
            else:
                found = handler.look_up(call, request.id)
            if found is None:
                return protocol.ReadResponse()
            identity, outputs = found
            # A refresh compares inputs too: they get the values that exist now.
            names = inputs or handler.supported
            current_inputs = {name: outputs[name] for name in names if name in outputs}
            return protocol.ReadResponse(
                id=identity,
                properties=encode_with_secrets(outputs, handler.secrets),
                inputs=values.encode(current_inputs),
            )

    def Delete(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Delete a resource, unless it is the one that replaces it.

        For `pulumi up --replace` the engine asks for no diff: it creates, then deletes the old
        resource. A handler creates a resource by its physical name, so both are one.
        """
        with self._call(request.urn, context) as call:
            if self.created.get(request.urn) != (context.peer(), request.id):
                inputs = plain_properties(request.old_inputs)
                self._handler(request.urn).delete(call, request.id, inputs)
            return empty_pb2.Empty()

    def Invoke(self, request: Any, context: grpc.ServicerContext) -> Any:
        with _abort_on_error(context):
            function = base.find_function(self.registry.functions, request.tok)
            arguments = plain_properties(request.args)
            result = {**arguments, **function.call(self._context(""), arguments)}
            # The field is called "return", which Python does not allow as a keyword argument.
            return protocol.InvokeResponse(
                **{"return": encode_with_secrets(result, function.secrets)}
            )

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Any:
        # Several engines may use this server at a time; each has a connection of its own.
        self.calls.cancel(context.peer())
        return empty_pb2.Empty()

    def _handler(self, urn: str) -> ResourceHandler:
        return base.find_handler(
            self.registry.handlers, wire.resource_type(urn), wire.resource_name(urn)
        )

    @contextmanager
    def _call(self, urn: str, context: grpc.ServicerContext) -> Generator[Context]:
        with _abort_on_error(context), self.calls.track(urn, context) as cancelled:
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
def _abort_on_error(context: grpc.ServicerContext) -> Generator[None]:
    """End the call with the error's text as its details, which the CLI prints for the resource."""
    try:
        yield
    except (UserError, AbandonedError) as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001 - an internal error: the log has its traceback
        traceback.print_exc()
        reason = f"{type(error).__name__}: {error}"
    else:
        return
    # `abort` raises, so it is called outside of the `except` clauses.
    context.abort(grpc.StatusCode.UNKNOWN, reason)
