"""The function, the layer, and the API in front of the function."""

import json
from pathlib import Path

from stack.local.resources import values
from tests.support.program import (
    COMPUTED_OUTPUTS,
    Recording,
    recorded,
)


def test_the_function_is_sent_as_configured(project: Path):
    sent = recorded(
        project,
        memory="1024",
        timeout="20",
        architecture="x86_64",
        python="3.14",
        reservedConcurrency="5",
    )
    function_, layer = sent["service-api-function"].plain, sent["service-layer"].plain
    assert (
        function_["memorySize"],
        function_["timeout"],
        function_["reservedConcurrentExecutions"],
    ) == (1024, 20, 5)
    assert (function_["architectures"], function_["runtime"]) == (["x86_64"], "python3.14")
    assert (layer["compatibleArchitectures"], layer["compatibleRuntimes"]) == (
        ["x86_64"],
        ["python3.14"],
    )
    assert sent["service-migrate-function"].plain["reservedConcurrentExecutions"] == -1, (
        "the migration needs no reserved concurrency"
    )


def test_no_concurrency_is_reserved_by_default(prod: Recording):
    assert prod["service-api-function"].inputs["reservedConcurrentExecutions"] == -1


def test_code_and_layer_are_zips_at_paths_relative_to_the_program(prod: Recording):
    for name in ("service-api-function", "service-migrate-function", "service-layer"):
        archive = prod[name].inputs["code"]
        assert isinstance(archive, values.Archive)
        assert archive.path.endswith(".zip")
        assert not Path(archive.path).is_absolute()


def test_the_api_has_no_cors_configuration(prod: Recording):
    assert prod["gateway-api"].plain == {"name": "ai-success-insights-prod", "protocolType": "HTTP"}


def test_the_default_route_sends_all_requests_to_the_alias(prod: Recording):
    assert prod["service-default-route"].plain == {
        "apiId": "gateway-api-id",
        "routeKey": "$default",
        "authorizationType": "NONE",
        "target": "integrations/service-integration-id",
    }
    assert prod["service-integration"].plain == {
        "apiId": "gateway-api-id",
        "integrationType": "AWS_PROXY",
        "integrationUri": "arn:aws:apigateway:us-east-1:lambda:path/functions/"
        "ai-success-insights-prod-api:live/invocations",
        "payloadFormatVersion": "2.0",
        "timeoutMilliseconds": 30000,
    }
    assert prod["service-live"].plain == {
        "name": "live",
        "functionName": "ai-success-insights-prod-api",
        "functionVersion": "7",
    }


def test_the_timeouts_are_ordered_service_function_gateway(project: Path):
    sent = recorded(project, timeout="29")
    assert (
        sent["service-api-function"].plain["timeout"] * 1000
        < sent["service-integration"].plain["timeoutMilliseconds"]
        <= 30_000
    )


def test_only_this_api_may_call_the_alias(prod: Recording):
    assert prod["service-permission"].plain == {
        "action": "lambda:InvokeFunction",
        "principal": "apigateway.amazonaws.com",
        "function": "ai-success-insights-prod-api",
        "qualifier": "live",
        "sourceArn": f"{COMPUTED_OUTPUTS['aws:apigatewayv2/api:Api']['executionArn']}/*/*",
    }, "no statement id: a change replaces the permission, and a fixed id would conflict"


def test_the_stage_has_both_throttling_limits_and_logs_each_request_as_json(prod: Recording):
    stage = prod["service-stage"].plain
    assert stage["defaultRouteSettings"] == {"throttlingRateLimit": 50, "throttlingBurstLimit": 100}
    assert (stage["name"], stage["autoDeploy"]) == ("$default", True)
    assert stage["accessLogSettings"]["destinationArn"].endswith(
        ":log-group:/aws/vendedlogs/ai-success-insights-prod-access"
    )
    fields = json.loads(stage["accessLogSettings"]["format"])
    assert all(value.startswith("$context.") for value in fields.values())
    assert "$context.integrationErrorMessage" in fields.values(), (
        "no other log has the reason of an integration's 500"
    )
    assert len(stage["accessLogSettings"]["format"]) <= 3072, "HTTP API quota, access-log template"
    assert "routeSettings" not in stage
