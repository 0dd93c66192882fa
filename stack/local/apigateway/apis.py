"""The HTTP APIs of the store, each served at its stack's port.

Builds the configuration of each `HttpApi` (app.py) from the store's records. The `invoke` of a
route checks the function's permission and passes the event to lambda_/functions.py.
"""

import contextlib
import re
from collections.abc import Callable, Mapping
from typing import Any

from common.errors import UserError
from stack.local.apigateway.app import HttpApi
from stack.local.apigateway.http_api import MAX_TIMEOUT_MS, ApiConfig, RouteConfig
from stack.local.cloudwatch.logs import LogStore
from stack.local.lambda_.functions import LambdaFunctions
from stack.local.lambda_.invocation import Invocation
from stack.local.resources.arns import parse_invoke_arn
from stack.local.resources.store import Store, stack_of
from stack.local.system.ports import StackPorts
from stack.local.system.server_group import HttpServerGroup, RunOnLoop


class NotPermittedError(Exception):
    """The function's policy does not permit the API to invoke it.

    As on AWS, the client gets 500 and the access log this sentence.
    """


class HttpApis(HttpServerGroup[HttpApi]):
    """Serves each API with its routes and its stage; `configure` applies changes of the store.

    ports: returns the ports of a stack. call: runs a coroutine on the servers' loop and waits.
    """

    def __init__(
        self,
        store: Store,
        functions: LambdaFunctions,
        logs: LogStore,
        ports: Callable[[str], StackPorts],
        call: RunOnLoop,
    ) -> None:
        super().__init__(call)
        self._store = store
        self._functions = functions
        self._logs = logs
        self._ports = ports

    async def _configure(self) -> None:
        records = self._store.find("apis")
        apps = await self._serve(
            {identity: self._port(record) for identity, record in records.items()},
            HttpApi,
            "the API",
        )
        for identity, app in apps.items():
            app.configure(self._configuration(identity, records[identity]))

    def _configuration(self, identity: str, api: Mapping[str, Any]) -> ApiConfig | None:
        stages = list(self._store.find("stages", apiId=identity).values())
        if not stages:
            return None
        stage = stages[0]
        settings = stage.get("defaultRouteSettings") or {}
        log = stage.get("accessLogSettings") or {}
        overrides = {item["routeKey"]: item for item in stage.get("routeSettings") or []}
        routes = self._store.find("routes", apiId=identity).values()
        return ApiConfig(
            api_id=identity,
            account_id=api["executionArn"].split(":")[4],
            domain=f"localhost:{self._port(api)}",
            routes=[
                route
                for record in routes
                if (route := self._route(record, api, overrides.get(record["routeKey"], {})))
            ],
            stage=stage["name"],
            rate=settings.get("throttlingRateLimit"),
            burst=settings.get("throttlingBurstLimit"),
            access_log=self._access_log(log.get("destinationArn", "")),
            access_log_format=log.get("format", ""),
        )

    def _route(
        self, record: Mapping[str, Any], api: Mapping[str, Any], override: Mapping[str, Any]
    ) -> RouteConfig | None:
        integration = self._store.get(
            "integrations", record["target"].removeprefix("integrations/")
        )
        if integration is None:
            return None
        name, qualifier = parse_invoke_arn(integration["integrationUri"])

        async def invoke(event: bytes, trace: str) -> Invocation:
            if not self._functions.is_permitted(name, qualifier, api["executionArn"]):
                raise NotPermittedError(
                    f"The API has no permission to call the function {name}:{qualifier}"
                )
            return await self._functions.invoke_async(name, qualifier, event, trace)

        return RouteConfig(
            key=record["routeKey"],
            invoke=invoke,
            timeout_ms=integration.get("timeoutMilliseconds", MAX_TIMEOUT_MS),
            rate=override.get("throttlingRateLimit"),
            burst=override.get("throttlingBurstLimit"),
        )

    def _allows_origin(self, name: str, origin: str) -> bool:
        """Return whether a function of the API permits the origin (docs/decisions/0002)."""
        for record in self._store.find("routes", apiId=name).values():
            integration = self._store.get(
                "integrations", record["target"].removeprefix("integrations/")
            )
            if integration is None:
                continue
            with contextlib.suppress(UserError):  # the function does not exist yet
                function = self._functions.version(*parse_invoke_arn(integration["integrationUri"]))
                origins = function.environment.get("CORS_ORIGINS", "").split(",")
                pattern = function.environment.get("CORS_ORIGIN_REGEX")
                if origin in origins or (pattern and re.fullmatch(pattern, origin)):
                    return True
        return False

    def _access_log(self, group_arn: str) -> Callable[[str], None] | None:
        """Return what writes a line to the log group; None without one."""
        name = group_arn.partition(":log-group:")[2].removesuffix(":*")
        return self._logs.group(name).write if name else None

    def _port(self, api: Mapping[str, Any]) -> int:
        return self._ports(stack_of(api["owner"])).api
