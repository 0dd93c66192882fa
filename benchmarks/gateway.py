"""A function behind the local cloud's gateway, served on a port."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from stack.local.apigateway.app import HttpApi
from stack.local.apigateway.http_api import ApiConfig, RouteConfig
from stack.local.cloudwatch.logs import LogStore
from stack.local.lambda_.function_version import FunctionVersion
from stack.local.lambda_.invoke import Invoker
from stack.local.system.http_server import Server
from stack.local.system.processes import Guard


@asynccontextmanager
async def served(
    directory: Path, function: FunctionVersion, *, freeze: bool = True
) -> AsyncGenerator[tuple[Invoker, int]]:
    """What runs the function, with one environment ready, and the gateway's port. Logs and the like go into `directory`."""
    guard, logs = Guard(directory / "run"), LogStore(directory / "logs")
    guard.start()
    functions = Invoker(guard, logs, directory / "runtime", freeze=freeze)
    access_log = logs.group("/aws/apigateway/benchmark").stream("benchmark")
    api = HttpApi()
    api.configure(
        ApiConfig(
            api_id="benchmark",
            account_id="000000000000",
            domain="benchmark.execute-api.us-east-1.amazonaws.com",
            routes=[
                RouteConfig(
                    key="$default",
                    invoke=lambda event, trace: functions.invoke(function, event, trace),
                )
            ],
            access_log=access_log.write,
            access_log_format='{"requestId":"$context.requestId","status":"$context.status","latency":"$context.responseLatency"}',
        )
    )
    server = Server(api, 0)
    await server.start()
    try:
        await functions.start(function)
        yield functions, server.port
    finally:
        await server.stop()
        await functions.stop()
        access_log.close()
        guard.close()


def version(
    handler: str,
    task_root: Path,
    *,
    layers: tuple[Path, ...] = (),
    concurrency: int = 1,
    **variables: str,
) -> FunctionVersion:
    return FunctionVersion(
        function_name="benchmark",
        version="1",
        arn="arn:aws:lambda:us-east-1:000000000000:function:benchmark:live",
        handler=handler,
        task_root=task_root,
        layers=layers,
        environment=variables,
        memory_mb=512,
        timeout_s=29,
        log_group="/aws/lambda/benchmark",
        reserved_concurrency=concurrency,
    )
