"""Gateway: the HTTP API. It has a URL before any function exists."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws


@dataclass(frozen=True, kw_only=True)
class GatewayArgs:
    """Arguments of `Gateway`.

    name: the API's name; a change renames it.
    access_log_group: name of the group for access logs, under /aws/vendedlogs/.
    log_retention_days: days that access logs are kept.
    protect: refuse to delete or replace the API, because clients use its URL.
    """

    name: str
    access_log_group: str
    log_retention_days: int
    protect: bool = False


class Gateway(pulumi.ComponentResource):
    """An HTTP API and the log group for its access logs. `Service` adds the routes and the stage.

    The API has no CORS configuration. With one, API Gateway responds to preflight requests itself
    and removes the CORS headers of the service (see docs/decisions/0002).

    url: scheme and host, without trailing slash.
    """

    url: pulumi.Output[str]
    api_id: pulumi.Output[str]
    execution_arn: pulumi.Output[str]
    access_log_arn: pulumi.Output[str]

    def __init__(
        self, name: str, args: GatewayArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("ai-success-insights:index:Gateway", name, None, opts)
        api = aws.apigatewayv2.Api(
            f"{name}-api",
            name=args.name,
            protocol_type="HTTP",
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect or None),
        )
        access_log = aws.cloudwatch.LogGroup(
            f"{name}-access-log",
            name=args.access_log_group,
            retention_in_days=args.log_retention_days,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.url = api.api_endpoint
        self.api_id = api.id
        self.execution_arn = api.execution_arn
        self.access_log_arn = access_log.arn
        self.register_outputs(
            {
                "url": self.url,
                "api_id": self.api_id,
                "execution_arn": self.execution_arn,
                "access_log_arn": self.access_log_arn,
            }
        )
