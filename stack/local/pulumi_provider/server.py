"""Serves the provider on a port of this machine, from the supervisor: what it makes outlives the engine that asked for it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import grpc

from stack.local.pulumi_provider.package import Table
from stack.local.pulumi_provider.provider import Provider
from stack.local.registry import FUNCTIONS, HANDLERS, PROVIDERS, VERSION
from stack.local.resources import sdk

if TYPE_CHECKING:
    from stack.local.cloud import Cloud

_THREADS = (
    64  # the engine works on as many resources at once as the graph allows, and some take minutes
)
_MESSAGE_BYTES = 400 * 1024 * 1024  # the engine's own limit
_LEAVE_S = 2.0


class ProviderServer:
    """Listens as soon as it is made; `port` says where."""

    def __init__(self, cloud: "Cloud", root: Path, progress: Callable[[str], None]) -> None:
        table = Table(handlers=HANDLERS, functions=FUNCTIONS, providers=PROVIDERS, version=VERSION)
        self._provider = Provider(cloud=cloud, root=root, table=table, progress=progress)
        sizes = [(f"grpc.max_{way}_message_length", _MESSAGE_BYTES) for way in ("send", "receive")]
        self._server = grpc.server(
            ThreadPoolExecutor(_THREADS, thread_name_prefix="provider"), options=sizes
        )
        sdk.provider_pb2_grpc.add_ResourceProviderServicer_to_server(self._provider, self._server)
        self.port = self._server.add_insecure_port(
            "127.0.0.1:0"
        )  # where the engine looks for a provider that it did not start
        self._server.start()

    def stop(self) -> None:
        """Ask what is under way to end, and close."""
        self._provider.calls.cancel()
        self._server.stop(_LEAVE_S).wait()
