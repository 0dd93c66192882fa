"""Serves the provider on a loopback port.

The supervisor runs it, so the resources that it creates outlive the `pulumi` process.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import grpc

from stack.local.pulumi_provider.configuration import Registry
from stack.local.pulumi_provider.provider import Provider
from stack.local.registry import FUNCTIONS, HANDLERS, PROVIDERS, VERSION
from stack.local.resources import sdk

if TYPE_CHECKING:
    from stack.local.cloud import Cloud

# The engine runs independent resources in parallel without a limit, and some take minutes.
_THREADS = 64
_MESSAGE_BYTES = 400 * 1024 * 1024  # the engine's own limit
_STOP_S = 2.0


class ProviderServer:
    """A gRPC server on 127.0.0.1, which runs from its construction until `stop`."""

    def __init__(self, cloud: "Cloud", root: Path, progress: Callable[[str], None]) -> None:
        registry = Registry(
            handlers=HANDLERS, functions=FUNCTIONS, providers=PROVIDERS, version=VERSION
        )
        self._provider = Provider(cloud=cloud, root=root, registry=registry, progress=progress)
        sizes = [(f"grpc.max_{way}_message_length", _MESSAGE_BYTES) for way in ("send", "receive")]
        self._server = grpc.server(
            ThreadPoolExecutor(_THREADS, thread_name_prefix="provider"), options=sizes
        )
        sdk.provider_pb2_grpc.add_ResourceProviderServicer_to_server(self._provider, self._server)
        # The engine connects to a provider that it did not start at this address.
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def stop(self) -> None:
        """Cancel the calls that run, wait for them for a short time, and close."""
        self._provider.calls.cancel()
        self._server.stop(_STOP_S).wait()
