"""The handlers of HTTP APIs, integrations, routes and stages."""

from typing import Any

import pytest

from tests.support.handler_bench import (
    API,
    DEPLOYMENT,
    DOMAIN,
    INTEGRATION,
    PORTS,
    ROUTE,
    STAGE,
    HandlerBench,
)


@pytest.mark.parametrize(
    ("type_", "changed", "message"),
    [
        (API, {"protocolType": "WEBSOCKET"}, 'protocolType must be "HTTP"'),
        (
            API,
            {"corsConfiguration": {"allowOrigins": ["*"]}},
            "'corsConfiguration' is not supported locally",
        ),
        (INTEGRATION, {"payloadFormatVersion": "1.0"}, 'payloadFormatVersion "2.0"'),
        (INTEGRATION, {"integrationType": "HTTP_PROXY"}, '"AWS_PROXY"'),
        (
            INTEGRATION,
            {"timeoutMilliseconds": 30001},
            "timeoutMilliseconds is 30001, allowed are 50 to 30000",
        ),
        (INTEGRATION, {"integrationUri": "https://example.com"}, "is not the invoke ARN"),
        (ROUTE, {"authorizationType": None}, "authorizationType must be set"),
        (ROUTE, {"authorizationType": "JWT"}, 'only "NONE" is supported'),
        (ROUTE, {"target": "i1"}, "target is 'i1', expected integrations/ID"),
        (STAGE, {"name": "prod"}, 'only the stage "$default"'),
        (STAGE, {"defaultRouteSettings": None}, "defaultRouteSettings needs both"),
        (
            STAGE,
            {"defaultRouteSettings": {"throttlingRateLimit": 50}},
            "every request gets 429",
        ),
        (
            STAGE,
            {"routeSettings": [{"routeKey": "GET /x", "throttlingBurstLimit": 1}]},
            "routeSettings of 'GET /x' needs both",
        ),
        (
            STAGE,
            {"routeSettings": [{"routeKey": "GET /x", "throttling": 1}]},
            "routeSettings[0].throttling is unknown",
        ),
    ],
)
def test_inputs_that_api_gateway_or_the_local_cloud_would_refuse_are_refused(
    bench: HandlerBench, type_: str, changed: dict[str, Any], message: str
):
    assert message in bench.refusal(type_, **changed)


def test_an_apis_endpoint_has_the_stacks_current_port(bench: HandlerBench):
    identity, outputs = bench.create(API)
    assert outputs["apiEndpoint"] == f"http://localhost:{PORTS.api}"
    now = bench.read(API, identity, {**outputs, "apiEndpoint": "http://localhost:1"})
    assert now is not None
    assert now["apiEndpoint"] == f"http://localhost:{PORTS.api}"


@pytest.mark.parametrize("type_", [API, INTEGRATION, ROUTE, STAGE, DOMAIN, DEPLOYMENT])
def test_a_create_and_a_delete_reconfigure_the_servers(bench: HandlerBench, type_: str):
    identity, _ = bench.create(type_)
    assert bench.data.calls == ["configure"]
    bench.delete(type_, identity)
    assert bench.data.calls == ["configure"] * 2
