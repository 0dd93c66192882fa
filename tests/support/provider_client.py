"""Calls the gRPC provider as Pulumi's engine does."""

from collections.abc import Mapping
from typing import Any

import grpc

from stack.local.resources import sdk, values

protocol = sdk.provider_pb2


class ProviderClient:
    """One connection of an engine. Properties are Python values, as of `values.decode`."""

    def __init__(self, port: int) -> None:
        self.port = port
        # Without it, two channels of a process may share a connection.
        options = [("grpc.use_local_subchannel_pool", 1)]
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}", options)
        self.stub = sdk.provider_pb2_grpc.ResourceProviderStub(self.channel)

    @staticmethod
    def urn(type_: str, name: str = "it") -> str:
        return (
            f"urn:pulumi:local::ai-success-insights::ai:index:Part$ai:index:Inner${type_}::{name}"
        )

    def check(self, type_: str, inputs: Mapping[str, Any]) -> dict[str, str]:
        response = self.stub.Check(
            protocol.CheckRequest(urn=self.urn(type_), news=values.encode(inputs))
        )
        assert values.decode(response.inputs) == dict(inputs), (
            "the inputs in the state are those of the program"
        )
        return {failure.property: failure.reason for failure in response.failures}

    def diff(
        self, type_: str, old: Mapping[str, Any], new: Mapping[str, Any], identity: str = ""
    ) -> Any:
        request = protocol.DiffRequest(
            urn=self.urn(type_), id=identity, old_inputs=values.encode(old), news=values.encode(new)
        )
        return self.stub.Diff(request)

    def create(
        self, type_: str, inputs: Mapping[str, Any], *, preview: bool = False, name: str = "it"
    ) -> tuple[str, dict[str, Any]]:
        request = protocol.CreateRequest(
            urn=self.urn(type_, name), properties=values.encode(inputs), preview=preview
        )
        response = self.stub.Create(request)
        return response.id, values.decode(response.properties)

    def update(
        self, type_: str, identity: str, outputs: Any, old: Any, new: Any, *, preview: bool = False
    ) -> dict[str, Any]:
        encoded: dict[str, Any] = {
            "olds": values.encode(values.reveal(outputs)),
            "old_inputs": values.encode(old),
            "news": values.encode(new),
        }
        response = self.stub.Update(
            protocol.UpdateRequest(urn=self.urn(type_), id=identity, preview=preview, **encoded)
        )
        return values.decode(response.properties)

    def read(self, type_: str, identity: str, inputs: Mapping[str, Any]) -> Any:
        return self.stub.Read(
            protocol.ReadRequest(urn=self.urn(type_), id=identity, inputs=values.encode(inputs))
        )

    def delete(self, type_: str, identity: str, inputs: Mapping[str, Any]) -> None:
        self.stub.Delete(
            protocol.DeleteRequest(
                urn=self.urn(type_), id=identity, old_inputs=values.encode(inputs)
            )
        )
