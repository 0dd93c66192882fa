"""The part of the provider protocol that concerns the provider itself: handshake, configuration."""
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

# Inputs that a provider of any package may have.
_COMMON_INPUTS = frozenset({"version", "pluginDownloadURL"})


@dataclass(frozen=True, kw_only=True)
class Registry:
    """What the provider serves.

    handlers: by type token. functions: by token. version: reported for every package.
    providers: the inputs of the provider resource, by package; a package without an entry accepts
    any input.
    """

    handlers: Mapping[str, ResourceHandler]
    functions: Mapping[str, Function]
    providers: Mapping[str, Mapping[str, Any]]
    version: str


@dataclass(kw_only=True)
class ConfigurableProvider(sdk.provider_pb2_grpc.ResourceProviderServicer):
    """Implements handshake and configuration for every package.

    The handshake's response enables no optional feature, so the engine sends plain values, without
    secret wrappers, and tracks itself what the program marked as secret.

    regions: the AWS region of each stack, from `Configure`.
    """

    registry: Registry
    regions: dict[str, str] = field(default_factory=dict[str, str])

    def Handshake(self, request: Any, context: grpc.ServicerContext) -> Any:
        return protocol.ProviderHandshakeResponse()

    def Attach(self, request: Any, context: grpc.ServicerContext) -> Any:
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> Any:
        return sdk.plugin_pb2.PluginInfo(version=self.registry.version)

    def Parameterize(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Accept the package that the Terraform bridge is to provide (Neon's)."""
        return protocol.ParameterizeResponse(name=request.value.name, version=request.value.version)

    def CheckConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Refuse inputs that the provider resource does not have."""
        package = wire.resource_type(request.urn).rpartition(":")[2]
        given = values.decode(request.news).keys() - _COMMON_INPUTS
        known = self.registry.providers.get(package, dict.fromkeys(given))
        reason = f"is no input of the provider {package}; known are {', '.join(sorted(known))}"
        failures = wire.check_failures((name, reason) for name in sorted(given - known.keys()))
        return protocol.CheckResponse(inputs=request.news, failures=failures)

    def DiffConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Replace all resources of the provider when the region changes.

        In Terraform's AWS provider a change of `region` forces the replacement of any resource.
        """
        old, new = wire.plain_properties(request.old_inputs), wire.plain_properties(request.news)
        changed = base.changed_inputs(old, new) - _COMMON_INPUTS
        return wire.diff_response(changed, changed & {"region"}, delete_first=False)

    def Configure(self, request: Any, context: grpc.ServicerContext) -> Any:
        if region := wire.plain_properties(request.args).get("region"):
            self.regions[stack_of(request.urn)] = region
        return protocol.ConfigureResponse(supportsPreview=True)
