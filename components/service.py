"""Service: the FastAPI service on Lambda, from the bundle to the stage of the API."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_aws as aws

from bundle import Bundle, Target, build, migrations_hash
from common.errors import UserError
from components.database import Database
from components.function import Function, FunctionArgs
from components.gateway import Gateway
from components.schedule import Schedule, ScheduleArgs
from config.events import HEALTH_EVENT, MIGRATION_EVENT, UPKEEP_EVENT
from config.function_environment import VERSION_VARIABLE
from config.naming import Names
from config.types import Sizing, Throttle

INTEGRATION_TIMEOUT_MS = 30_000
"""Maximum for an HTTP API. The function's timeout is at most 29 s, the service's deadline 25 s."""

BATCH_SIZING = Sizing(memory=512, timeout=900)
"""Of the functions that serve no requests. 900 s is the maximum for Lambda."""

UPKEEP_TIMES = "cron(5 0-3 * * ? *)"
"""Four times a night: each goes on where the last one ended, and does nothing when all is done."""

ACCESS_LOG_FIELDS = {
    "requestId": "$context.requestId",
    "time": "$context.requestTime",
    "ip": "$context.identity.sourceIp",
    "method": "$context.httpMethod",
    "route": "$context.routeKey",
    "status": "$context.status",
    "bytes": "$context.responseLength",
    "latency": "$context.responseLatency",
    "integrationLatency": "$context.integrationLatency",
    "integrationError": "$context.integrationErrorMessage",
}
"""Fields of the JSON object that is logged for each request. API Gateway escapes the values."""


@dataclass(frozen=True, kw_only=True)
class ServiceArgs:
    """Arguments of `Service`.

    names: physical names of the stack.
    target: platform and Python version that the bundle is built for.
    bytecode: compile the bundle ahead of time.
    environment: variables of the function, except those that follow from other arguments.
    database: requests use its pooled URL, migrations its direct URL. A new identity is migrated.
    gateway: the API that gets a route to the function.
    cors_origins: exact origins that may call the API from a browser.
    sizing: size of the function.
    throttle: throttling of the stage.
    log_retention_days: days that the functions' logs are kept.
    upkeep: create the upkeep function and its schedule.
    time_zone: IANA name of the zone whose nights the upkeep runs in.
    """

    names: Names
    target: Target
    bytecode: bool
    environment: Mapping[str, pulumi.Input[str]]
    database: Database
    gateway: Gateway
    cors_origins: pulumi.Output[list[str]]
    sizing: Sizing
    throttle: Throttle
    log_retention_days: int
    upkeep: bool
    time_zone: str


class Service(pulumi.ComponentResource):
    """The migration, the function with the alias `live`, the API's route and stage, and upkeep.

    They are created in this order. A migration that fails stops the update before a version is
    published. A version is verified by an invocation before the alias names it: one that does not
    start, does not reach its database or needs another schema gets no request. In both cases the
    old version keeps serving.
    """

    function_name: pulumi.Output[str]

    def __init__(
        self, name: str, args: ServiceArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("ai-success-insights:index:Service", name, None, opts)
        bundle = _bundle(args)
        layer = aws.lambda_.LayerVersion(
            f"{name}-layer",
            layer_name=args.names.layer,
            code=pulumi.FileArchive(str(bundle.layer)),
            compatible_architectures=[args.target.architecture],
            compatible_runtimes=[f"python{args.target.python}"],
            opts=pulumi.ResourceOptions(parent=self),
        )
        migration = self._migration(name, args, bundle, layer)
        function = self._function(name, args, bundle, layer, migration)
        verification = aws.lambda_.Invocation(
            f"{name}-verification",
            function_name=function.name,
            qualifier=function.function.version,
            input=HEALTH_EVENT,
            opts=pulumi.ResourceOptions(parent=self),
        )
        alias = aws.lambda_.Alias(
            f"{name}-live",
            name="live",
            function_name=function.name,
            function_version=function.function.version,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[verification]),
        )
        self._api(name, args, function, alias)
        if args.upkeep:
            self._upkeep(name, args, bundle, layer, migration, alias)
        self.function_name = function.name
        self.register_outputs({"function_name": self.function_name})

    def _migration(
        self, name: str, args: ServiceArgs, bundle: Bundle, layer: aws.lambda_.LayerVersion
    ) -> aws.lambda_.Invocation:
        function = Function(
            f"{name}-migrate",
            FunctionArgs(
                name=args.names.migration_function,
                role=args.names.migration_role,
                log_group=args.names.migration_log_group,
                log_retention_days=args.log_retention_days,
                target=args.target,
                code=str(bundle.code),
                layers=[layer.arn],
                handler="service.migrate.handler",
                environment={"DATABASE_URL": args.database.direct_url},
                sizing=BATCH_SIZING,
            ),
            pulumi.ResourceOptions(parent=self),
        )
        return aws.lambda_.Invocation(
            f"{name}-migration",
            function_name=function.name,
            input=MIGRATION_EVENT,
            triggers={"migrations": migrations_hash(Path.cwd()), **args.database.identity},
            # The name is the same for new code, and the call has to wait for the new code.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[function]),
        )

    def _upkeep(
        self,
        name: str,
        args: ServiceArgs,
        bundle: Bundle,
        layer: aws.lambda_.LayerVersion,
        migration: aws.lambda_.Invocation,
        alias: aws.lambda_.Alias,
    ) -> None:
        function = Function(
            f"{name}-upkeep",
            FunctionArgs(
                name=args.names.upkeep_function,
                role=args.names.upkeep_role,
                log_group=args.names.upkeep_log_group,
                log_retention_days=args.log_retention_days,
                target=args.target,
                code=str(bundle.code),
                layers=[layer.arn],
                handler="service.upkeep.handler",
                environment={
                    "DATABASE_URL": args.database.direct_url,
                    "TIME_ZONE": args.environment.get("TIME_ZONE", ""),
                },
                sizing=BATCH_SIZING,
                after=[migration],
            ),
            pulumi.ResourceOptions(parent=self),
        )
        Schedule(
            f"{name}-nightly",
            ScheduleArgs(
                name=args.names.upkeep_schedule,
                group=args.names.schedule_group,
                role=args.names.schedule_role,
                expression=UPKEEP_TIMES,
                time_zone=args.time_zone,
                # Unqualified: the code changes only once the database has been migrated, so it is
                # never newer than the schema, and there is no version that an alias could keep.
                function_arn=function.function.arn,
                event=UPKEEP_EVENT,
            ),
            pulumi.ResourceOptions(parent=self, depends_on=[function, alias]),
        )

    def _function(
        self,
        name: str,
        args: ServiceArgs,
        bundle: Bundle,
        layer: aws.lambda_.LayerVersion,
        migration: aws.lambda_.Invocation,
    ) -> Function:
        return Function(
            f"{name}-api",
            FunctionArgs(
                name=args.names.function,
                role=args.names.function_role,
                log_group=args.names.function_log_group,
                log_retention_days=args.log_retention_days,
                target=args.target,
                code=str(bundle.code),
                layers=[layer.arn],
                handler="service.handler.handler",
                environment={
                    **args.environment,
                    "DATABASE_URL": args.database.pooled_url,
                    "CORS_ORIGINS": args.cors_origins.apply(",".join),
                    VERSION_VARIABLE: bundle.version,
                },
                sizing=args.sizing,
                publish=True,
                after=[migration],
            ),
            pulumi.ResourceOptions(parent=self),
        )

    def _api(
        self, name: str, args: ServiceArgs, function: Function, alias: aws.lambda_.Alias
    ) -> None:
        child = pulumi.ResourceOptions(parent=self)
        permission = aws.lambda_.Permission(
            f"{name}-permission",
            action="lambda:InvokeFunction",
            principal="apigateway.amazonaws.com",
            function=function.name,
            qualifier=alias.name,
            source_arn=pulumi.Output.concat(args.gateway.execution_arn, "/*/*"),
            opts=child,
        )
        integration = aws.apigatewayv2.Integration(
            f"{name}-integration",
            api_id=args.gateway.api_id,
            integration_type="AWS_PROXY",
            integration_uri=alias.invoke_arn,
            payload_format_version="2.0",
            timeout_milliseconds=INTEGRATION_TIMEOUT_MS,
            opts=child,
        )
        route = aws.apigatewayv2.Route(
            f"{name}-default-route",
            api_id=args.gateway.api_id,
            route_key="$default",
            authorization_type="NONE",
            target=pulumi.Output.concat("integrations/", integration.id),
            opts=child,
        )
        aws.apigatewayv2.Stage(
            f"{name}-stage",
            api_id=args.gateway.api_id,
            name="$default",
            auto_deploy=True,
            # A limit that is not set is 0, and every request gets a 429: set both.
            default_route_settings={
                "throttling_rate_limit": args.throttle.rate,
                "throttling_burst_limit": args.throttle.burst,
            },
            access_log_settings={
                "destination_arn": args.gateway.access_log_arn,
                "format": json.dumps(ACCESS_LOG_FIELDS),
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[route, permission]),
        )


def _bundle(args: ServiceArgs) -> Bundle:
    if args.upkeep and not Path("service/upkeep.py").is_file():
        raise pulumi.RunError("there is no service/upkeep.py: write it, or set upkeep to false")
    try:
        return build(Path.cwd(), args.target, bytecode=args.bytecode, progress=pulumi.log.info)
    except UserError as error:
        raise pulumi.RunError(str(error)) from None
