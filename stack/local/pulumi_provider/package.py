"""A package as the engine meets it: how it is spoken to, and how it is configured."""
# ruff: noqa: N802 - method names are the protocol's

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf import empty_pb2

from stack.local.pulumi_provider import wire
from stack.local.pulumi_provider.wire import protocol
from stack.local.resources import base, sdk, values
from stack.local.resources.base import Function, ResourceHandler
from stack.local.resources.store import stack_of

# What every provider may be given, whatever its package
_OF_ANY_PROVIDER = frozenset({"version", "pluginDownloadURL"})


@dataclass(frozen=True, kw_only=True)
class Table:
    """What is served: handlers by type, functions by token, a provider's own inputs by its package where the SDK has them, a version."""

    handlers: Mapping[str, ResourceHandler]
    functions: Mapping[str, Function]
    providers: Mapping[str, Mapping[str, Any]]
    version: str


@dataclass(kw_only=True)
class Package(sdk.provider_pb2_grpc.ResourceProviderServicer):
    """Stands for each package. The handshake accepts nothing but plain values: the engine keeps track of what the program marked as secret.

    regions: of AWS, by stack.
    """

    table: Table
    regions: dict[str, str] = field(default_factory=dict[str, str])

    def Handshake(self, request: Any, context: grpc.ServicerContext) -> Any:
        return protocol.ProviderHandshakeResponse()

    def Attach(self, request: Any, context: grpc.ServicerContext) -> Any:
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> Any:
        return sdk.plugin_pb2.PluginInfo(version=self.table.version)

    def Parameterize(self, request: Any, context: grpc.ServicerContext) -> Any:
        """The bridge becomes the package that it is asked to be."""
        return protocol.ParameterizeResponse(name=request.value.name, version=request.value.version)

    def CheckConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        package = wire.type_of(request.urn).rpartition(":")[2]
        given = values.decode(request.news).keys() - _OF_ANY_PROVIDER
        known = self.table.providers.get(package, dict.fromkeys(given))
        reason = f"is no input of the provider {package}; known are {', '.join(sorted(known))}"
        failures = wire.failures((name, reason) for name in sorted(given - known.keys()))
        return protocol.CheckResponse(inputs=request.news, failures=failures)

    def DiffConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        """In another region everything is another resource (Terraform's AWS provider, `region` of every resource: forces replacement)."""
        changed = (
            base.changes(wire.plain(request.old_inputs), wire.plain(request.news))
            - _OF_ANY_PROVIDER
        )
        return wire.difference(changed, changed & {"region"}, delete_first=False)

    def Configure(self, request: Any, context: grpc.ServicerContext) -> Any:
        if region := wire.plain(request.args).get("region"):
            self.regions[stack_of(request.urn)] = region
        return protocol.ConfigureResponse(supportsPreview=True)
