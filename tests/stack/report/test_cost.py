"""The cost a month, which follows from the configuration."""

from typing import Any

import pytest

from stack.report import cost, prices
from tests.support.snapshots import resource, snapshot


def stack(
    *, rate: int = 1, memory: int = 1024, architecture: str = "arm64", days: int = 30, **neon: Any
) -> dict[str, Any]:
    return snapshot(
        resource(
            "s",
            cost.STAGE,
            defaultRouteSettings={"throttlingRateLimit": rate, "throttlingBurstLimit": 1},
        ),
        resource("f", cost.FUNCTION, name="api", memorySize=memory, architectures=[architecture]),
        resource(
            "m", cost.FUNCTION, name="migrate", memorySize=memory, architectures=[architecture]
        ),
        resource(
            "p",
            cost.PERMISSION,
            function="api",
            principal="apigateway.amazonaws.com",
            action="lambda:InvokeFunction",
        ),
        resource("l", cost.LOG_GROUP, name="/aws/lambda/api", retentionInDays=days),
        resource(
            "n",
            cost.PROJECT,
            name="db",
            defaultEndpointSettings={
                "autoscalingLimitMinCu": 0.25,
                "autoscalingLimitMaxCu": 2,
                **neon,
            },
        ),
    )


def busy(**changed: Any) -> dict[str, float]:
    return {line.part: line.busy for line in cost.monthly(stack(**changed))}


def test_the_busy_month_has_as_many_requests_as_the_throttle_admits() -> None:
    requests = 730 * 3600
    found = busy()
    assert found["HTTP API"] == pytest.approx(requests * 1e-6)
    assert found["Lambda api"] == pytest.approx(requests * 0.2e-6 + requests * 0.1 * 0.0000133334)
    gigabytes = requests * 600e-9
    assert found["Logs /aws/lambda/api"] == pytest.approx(
        gigabytes * 0.5 + gigabytes * (30 / (730 / 24)) * 0.15 * 0.03
    )
    assert found["Neon db"] == pytest.approx(2 * 730 * prices.NEON_CU_HOUR)


def test_a_function_that_serves_no_requests_costs_nothing() -> None:
    assert "Lambda migrate" not in busy()


@pytest.mark.parametrize(
    ("changed", "part", "more"),
    [
        ({"rate": 2}, "HTTP API", True),
        ({"memory": 2048}, "Lambda api", True),
        ({"architecture": "x86_64"}, "Lambda api", True),
        ({"days": 7}, "Logs /aws/lambda/api", False),
        ({"autoscalingLimitMaxCu": 4}, "Neon db", True),
    ],
)
def test_each_configuration_key_with_a_cost_changes_its_part(
    changed: dict[str, Any], part: str, more: bool
) -> None:
    before, after = busy(), busy(**changed)
    assert (after[part] > before[part]) == more
    assert after[part] != before[part]


def test_requests_above_the_first_tier_are_cheaper() -> None:
    assert busy(rate=1000)["HTTP API"] < 1000 * busy()["HTTP API"]


def test_at_rest_only_compute_that_is_never_suspended_costs() -> None:
    assert {line.at_rest for line in cost.monthly(stack())} == {0}
    awake = {line.part: line.at_rest for line in cost.monthly(stack(suspendTimeoutSeconds=-1))}
    assert awake["Neon db"] == pytest.approx(0.25 * 730 * prices.NEON_CU_HOUR)


def test_a_schedule_costs_its_invocations_and_those_of_its_function_at_rest_too() -> None:
    nightly = resource(
        "s",
        cost.SCHEDULE,
        name="nightly",
        scheduleExpression="cron(5 0-3 * * ? *)",
        target={"arn": "${m.arn}"},
    )
    found = {line.part: line for line in cost.monthly(snapshot(*stack()["resources"], nightly))}
    times = 4 * 730 / 24
    assert found["Schedule nightly"].at_rest == pytest.approx(
        times * (1e-6 + 0.2e-6 + 10 * 0.0000133334)
    )
    assert found["Schedule nightly"].busy == found["Schedule nightly"].at_rest
    assert found["Schedule nightly"].basis == "122 invocations of 1024 MB, 10 s each"


def test_a_type_without_a_price_is_named_and_not_counted_as_free() -> None:
    assert cost.unpriced(
        snapshot(resource("q", "aws:sqs/queue:Queue"), resource("r", "aws:iam/role:Role"))
    ) == ["aws:sqs/queue:Queue"]
    assert cost.unpriced(stack()) == []
