"""Handlers of API Gateway's resource types: APIs, integrations, routes, stages."""

from collections.abc import Mapping
from typing import Any

import pulumi_aws as aws

from stack.local.apigateway.apis import HttpApis
from stack.local.apigateway.http_api import MAX_TIMEOUT_MS
from stack.local.resources.arns import arn, execution_arn, parse_invoke_arn
from stack.local.resources.base import Context, all_known
from stack.local.resources.stored import Stored, digest

INTEGRATION_TARGET = "integrations/"


class Api(Stored):
    """An HTTP API, served at its stack's port, so that its address stays the same."""

    sdk = aws.apigatewayv2.Api
    data_loss = "its address, which clients know"
    kind = "apis"
    supported = frozenset({"name", "protocolType", "description", "tags"})
    replaces = frozenset({"protocolType"})

    def check(self, inputs: Mapping[str, Any]) -> list[str]:
        wrong = all_known(inputs, "protocolType") and inputs.get("protocolType") != "HTTP"
        return ['protocolType must be "HTTP"'] if wrong else []

    def identify(self, context: Context, inputs: Mapping[str, Any]) -> str:
        return digest(context.urn)

    def describe(
        self, context: Context, identity: str, inputs: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        return {
            "apiEndpoint": _endpoint(context),
            "arn": arn("apigateway", context.region, f"/apis/{identity}", account=""),
            "executionArn": execution_arn(context.region, identity),
            "tagsAll": inputs.get("tags", {}),
        }

    def read(
        self, context: Context, identity: str, inputs: Mapping[str, Any], outputs: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        present = super().read(context, identity, inputs, outputs)
        if present is None:
            return None
        # The port, and with it the address, may have changed since the record was written.
        return {**present, "apiEndpoint": _endpoint(context)}

    def applied(self, context: Context, identity: str) -> None:
        context.cloud.service(HttpApis).configure()


def _endpoint(context: Context) -> str:
    return f"http://localhost:{context.cloud.ports(context.stack).api}"


class _ApiPart(Stored):
    """A part of an API, whose change reconfigures the API."""

    def applied(self, context: Context, identity: str) -> None:
        context.cloud.service(HttpApis).configure()


class Integration(_ApiPart):
    """The function that a route invokes, by the invoke ARN of its alias."""

    sdk = aws.apigatewayv2.Integration
    kind = "integrations"
    supported = frozenset(
        {
            "apiId",
            "integrationType",
            "integrationUri",
            "payloadFormatVersion",
            "timeoutMilliseconds",
            "integrationMethod",
            "description",
        }
    )
    replaces = frozenset({"apiId", "integrationType"})

    def check(self, inputs: Mapping[str, Any]) -> list[str]:
        failures: list[str] = []
        form = {"integrationType": "AWS_PROXY", "payloadFormatVersion": "2.0"}
        if any(all_known(inputs, key) and inputs.get(key) != value for key, value in form.items()):
            failures.append(
                'only integrationType "AWS_PROXY" with payloadFormatVersion "2.0" is supported'
            )
        if (
            all_known(inputs, "timeoutMilliseconds")
            and not 50 <= inputs.get("timeoutMilliseconds", MAX_TIMEOUT_MS) <= MAX_TIMEOUT_MS
        ):
            failures.append(
                f"timeoutMilliseconds is {inputs['timeoutMilliseconds']}, "
                f"allowed are 50 to {MAX_TIMEOUT_MS}"
            )
        if all_known(inputs, "integrationUri"):
            try:
                parse_invoke_arn(inputs.get("integrationUri", ""))
            except ValueError as error:
                failures.append(f"integrationUri {error}")
        return failures

    def describe(
        self, context: Context, identity: str, inputs: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        return {"integrationResponseSelectionExpression": ""}


class Route(_ApiPart):
    """A route by its key, `$default` or `METHOD /path`."""

    sdk = aws.apigatewayv2.Route
    kind = "routes"
    supported = frozenset({"apiId", "routeKey", "target", "authorizationType", "operationName"})
    replaces = frozenset({"apiId"})

    def check(self, inputs: Mapping[str, Any]) -> list[str]:
        failures: list[str] = []
        if all_known(inputs, "authorizationType") and inputs.get("authorizationType") != "NONE":
            failures.append(
                'authorizationType must be set, and only "NONE" is supported: '
                "the service checks API keys itself"
            )
        target = inputs.get("target")
        if all_known(inputs, "target") and not str(target).startswith(INTEGRATION_TARGET):
            failures.append(f"target is {target!r}, expected integrations/ID")
        return failures


class Stage(_ApiPart):
    """The stage of an API: throttling and the access log. Without it every response is 404."""

    sdk = aws.apigatewayv2.Stage
    kind = "stages"
    supported = frozenset(
        {
            "apiId",
            "name",
            "autoDeploy",
            "defaultRouteSettings",
            "routeSettings",
            "accessLogSettings",
            "tags",
        }
    )
    replaces = frozenset({"apiId", "name"})

    def check(self, inputs: Mapping[str, Any]) -> list[str]:
        failures: list[str] = []
        if all_known(inputs, "name") and inputs.get("name") != "$default":
            failures.append('only the stage "$default" is supported: others are part of the path')
        settings: list[tuple[str, Mapping[str, Any]]] = []
        if all_known(inputs, "defaultRouteSettings"):
            settings.append(("defaultRouteSettings", inputs.get("defaultRouteSettings") or {}))
        if all_known(inputs, "routeSettings"):
            settings += [
                (f"routeSettings of {item.get('routeKey')!r}", item)
                for item in inputs.get("routeSettings") or []
            ]
        failures += [
            f"{where} needs both throttlingRateLimit and throttlingBurstLimit: an unset one is 0, "
            "and every request gets 429"
            for where, item in settings
            if not item.get("throttlingRateLimit") or not item.get("throttlingBurstLimit")
        ]
        return failures

    def identify(self, context: Context, inputs: Mapping[str, Any]) -> str:
        return f"{inputs['apiId']}:{inputs['name']}"

    def describe(
        self, context: Context, identity: str, inputs: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        api = inputs["apiId"]
        return {
            "arn": arn(
                "apigateway", context.region, f"/apis/{api}/stages/{inputs['name']}", account=""
            ),
            "executionArn": f"{execution_arn(context.region, api)}/{inputs['name']}",
            "invokeUrl": f"http://localhost:{context.cloud.ports(context.stack).api}/",
            "tagsAll": inputs.get("tags", {}),
        }


HANDLERS = (Api(), Integration(), Route(), Stage())
