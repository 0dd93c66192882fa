"""The provider that Pulumi's engine talks to: one for all packages, over the table of realisers.

Nothing in a call says which package it is for except the type; so one server answers for each of them (`PULUMI_DEBUG_PROVIDERS`).
Inputs come without secret wrappers, because the handshake accepts none: the engine keeps track of what the program marked as
secret, and the provider marks what the real one would.
"""
# ruff: noqa: N802 - method names are the protocol's

import threading
import traceback
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf import empty_pb2

from components.errors import UserError
from components.naming import DEFAULT_REGION
from local import realise, sdk, values
from local.engine.calls import Calls
from local.processes import AbandonedError
from local.realise import Context, Realiser
from local.store import stack_of

if TYPE_CHECKING:
    from local.cloud import Cloud

protocol = sdk.provider_pb2

# What every provider resource may be given, whatever its package
_OF_ANY_PROVIDER = frozenset({"version", "pluginDownloadURL"})


@dataclass(frozen=True, kw_only=True)
class Table:
    """What is served: realisers by type, the inputs that a provider has by its package, where the SDK says so, and a version."""

    realisers: Mapping[str, Realiser]
    providers: Mapping[str, Mapping[str, Any]]
    version: str


@dataclass(kw_only=True)
class Provider(sdk.provider_pb2_grpc.ResourceProviderServicer):
    """Implements `ResourceProvider` of Pulumi's `provider.proto`; method names are the protocol's, called from threads."""

    cloud: "Cloud"
    root: Path
    table: Table
    progress: Callable[[str], None]
    calls: Calls = field(default_factory=Calls)
    regions: dict[str, str] = field(default_factory=dict[str, str])

    # the provider itself

    def Handshake(self, request: Any, context: grpc.ServicerContext) -> Any:
        return protocol.ProviderHandshakeResponse()

    def Attach(self, request: Any, context: grpc.ServicerContext) -> Any:
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> Any:
        return sdk.plugin_pb2.PluginInfo(version=self.table.version)

    def Parameterize(self, request: Any, context: grpc.ServicerContext) -> Any:
        return protocol.ParameterizeResponse(name=request.value.name, version=request.value.version)

    def CheckConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        package = _type(request.urn).rpartition(":")[2]
        given = values.decode(request.news).keys() - _OF_ANY_PROVIDER
        known = self.table.providers.get(package, dict.fromkeys(given))
        reason = f"is no input of the provider {package}; known are {', '.join(sorted(known))}"
        return protocol.CheckResponse(inputs=request.news, failures=_failures([(name, reason) for name in sorted(given - known.keys())]))

    def DiffConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        """In another region everything is another resource (pulumi-aws, `region`: "changing this forces replacement")."""
        changed = realise.changes(_plain(request.old_inputs), _plain(request.news)) - _OF_ANY_PROVIDER
        return _difference(changed, changed & {"region"}, delete_first=False)

    def Configure(self, request: Any, context: grpc.ServicerContext) -> Any:
        region = _plain(request.args).get("region")
        if region:
            self.regions[stack_of(request.urn)] = region
        return protocol.ConfigureResponse(supportsPreview=True, acceptResources=False)

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.calls.cancel(context.peer())
        return empty_pb2.Empty()

    def Invoke(self, request: Any, context: grpc.ServicerContext) -> Any:
        with _told(context):
            raise UserError(f"the local cloud does not know the function {request.tok}: the program should not call it")

    # resources

    def Check(self, request: Any, context: grpc.ServicerContext) -> Any:
        with _told(context):
            realiser = self._realiser(request.urn)
            found = realise.failures(realiser, values.decode(request.news), self.root)
            return protocol.CheckResponse(
                inputs=request.news, failures=_failures([(failure.property, failure.reason) for failure in found])
            )

    def Diff(self, request: Any, context: grpc.ServicerContext) -> Any:
        with _told(context):
            realiser, new = self._realiser(request.urn), _plain(request.news)
            changed = realise.changes(_plain(request.old_inputs), new)
            delete_first = realiser.collides(self._context(request.urn), request.id, new)
            return _difference(changed, changed & realiser.replaces, delete_first=delete_first)

    def Create(self, request: Any, context: grpc.ServicerContext) -> Any:
        with self._call(request.urn, context) as work:
            realiser, inputs = self._realiser(request.urn), _plain(request.properties)
            if request.preview:
                return protocol.CreateResponse(properties=_wire(realiser, realise.to_create(realiser, inputs)))
            identity, computed = realiser.create(work, inputs)
            return protocol.CreateResponse(id=identity, properties=_wire(realiser, realise.made(realiser, inputs, computed)))

    def Update(self, request: Any, context: grpc.ServicerContext) -> Any:
        with self._call(request.urn, context) as work:
            realiser, old, inputs = self._realiser(request.urn), _plain(request.old_inputs), _plain(request.news)
            if request.preview:
                outputs = realise.to_update(realiser, _plain(request.olds), inputs, realise.changes(old, inputs))
            else:
                outputs = realise.made(realiser, inputs, realiser.update(work, request.id, old, inputs))
            return protocol.UpdateResponse(properties=_wire(realiser, outputs))

    def Read(self, request: Any, context: grpc.ServicerContext) -> Any:
        with self._call(request.urn, context) as work:
            realiser, inputs = self._realiser(request.urn), _plain(request.inputs)
            outputs = realiser.read(work, request.id, inputs, _plain(request.properties))
            if outputs is None:
                return protocol.ReadResponse()  # without an id: it has gone
            imported = inputs or realiser.supported  # an import knows the id alone
            present = {name: outputs[name] for name in imported if name in outputs}
            return protocol.ReadResponse(id=request.id, properties=_wire(realiser, outputs), inputs=values.encode(present))

    def Delete(self, request: Any, context: grpc.ServicerContext) -> Any:
        with self._call(request.urn, context) as work:
            self._realiser(request.urn).delete(work, request.id, _plain(request.old_inputs))
            return empty_pb2.Empty()

    def _realiser(self, urn: str) -> Realiser:
        return realise.find(self.table.realisers, _type(urn), urn.split("::")[-1])

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


def _type(urn: str) -> str:
    return urn.split("::")[2].rpartition("$")[2]


def _plain(struct: Any) -> dict[str, Any]:
    return values.reveal({name: value for name, value in values.decode(struct).items() if value is not None})


def _wire(realiser: Realiser, outputs: Mapping[str, Any]) -> Any:
    return values.encode(
        {name: values.Secret(value) if name in realiser.secrets and value is not None else value for name, value in outputs.items()}
    )


def _difference(changed: frozenset[str], replaces: frozenset[str], *, delete_first: bool) -> Any:
    return protocol.DiffResponse(
        changes=protocol.DiffResponse.DIFF_SOME if changed else protocol.DiffResponse.DIFF_NONE,
        diffs=sorted(changed),
        replaces=sorted(replaces),
        deleteBeforeReplace=delete_first,
    )


def _failures(found: Sequence[tuple[str, str]]) -> Sequence[Any]:
    return [protocol.CheckFailure(property=name, reason=reason) for name, reason in found]
