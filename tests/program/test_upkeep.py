"""The upkeep function and its schedule: inputs, permissions, order, and a stack without them."""

import json
from pathlib import Path

import pulumi
import pytest

from stack.local.iam.policy import allows, trust_failures, trusts
from tests.support.program import Recording, evaluate, make_project, recorded, variables

FUNCTION_ARN = "arn:aws:lambda:us-east-1:123456789012:function:ai-success-insights-prod-upkeep"
GROUP_ARN = (
    "arn:aws:scheduler:us-east-1:123456789012:schedule-group/ai-success-insights-prod-schedules"
)


def test_the_schedule_invokes_the_unqualified_upkeep_function_four_times_a_night(prod: Recording):
    assert prod["service-nightly-schedule"].plain == {
        "name": "ai-success-insights-prod-upkeep",
        "groupName": "ai-success-insights-prod-schedules",
        "scheduleExpression": "cron(5 0-3 * * ? *)",
        "scheduleExpressionTimezone": "UTC",
        "flexibleTimeWindow": {"mode": "OFF"},
        "target": {
            "arn": FUNCTION_ARN,
            "roleArn": "arn:aws:iam::123456789012:role/ai-success-insights-prod-schedule",
            "input": '{"source": "upkeep"}',
            "retryPolicy": {"maximumRetryAttempts": 2},
        },
    }


def test_its_role_may_be_used_by_schedules_of_its_group_only_and_may_only_invoke_the_function(
    prod: Recording,
):
    trust = prod["service-nightly-role"].inputs["assumeRolePolicy"]
    assert trust_failures(trust) == []
    assert trusts(trust, "scheduler.amazonaws.com")
    assert json.loads(trust)["Statement"][0]["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "123456789012", "aws:SourceArn": GROUP_ARN}
    }
    policy = prod["service-nightly-policy"].inputs["policy"]
    assert len(json.loads(policy)["Statement"]) == 1
    assert allows(policy, "lambda:InvokeFunction", FUNCTION_ARN)
    assert "service-nightly-policy" in prod["service-nightly-schedule"].dependencies


def test_the_upkeep_function_is_the_same_bundle_with_the_longest_timeout_and_no_version(
    prod: Recording,
):
    upkeep, api = prod["service-upkeep-function"].plain, prod["service-api-function"].plain
    assert (upkeep["handler"], upkeep["memorySize"], upkeep["timeout"], upkeep["publish"]) == (
        "service.upkeep.handler",
        512,
        900,
        False,
    )
    assert (upkeep["code"], upkeep["layers"]) == (api["code"], api["layers"])
    assert upkeep["role"] != api["role"]


def test_the_schedule_is_created_after_the_alias_has_moved(prod: Recording):
    created = prod.created
    assert created.index("service-migration") < created.index("service-upkeep-function")
    for name in ("service-upkeep-function", "service-live"):
        assert created.index(name) < created.index("service-nightly-schedule")
        assert name in prod["service-nightly"].dependencies, "so it is deleted after the schedule"


def test_the_time_zone_reaches_both_functions_and_the_schedule_and_utc_is_no_variable(
    project: Path, prod: Recording
):
    assert "TIME_ZONE" not in variables(prod, "service-api-function")
    recording = recorded(project, timeZone="America/New_York")
    for name in ("service-api-function", "service-upkeep-function"):
        assert variables(recording, name)["TIME_ZONE"] == "America/New_York"
    schedule = recording["service-nightly-schedule"].plain
    assert schedule["scheduleExpressionTimezone"] == "America/New_York"


@pytest.mark.parametrize("stack", ["prod", "preview"])
def test_without_upkeep_nothing_of_it_is_created_and_the_rest_is_the_same(
    project: Path, prod: Recording, stack: str
):
    domain = {"siteDomain": "{stack}.example.com"}
    config = {"upkeep": "false"} if stack == "prod" else {}
    recording = evaluate(project, stack=stack, config={**domain, **config})
    gone = prod.resources.keys() - recording.resources.keys()
    assert gone == {
        name for name in prod.resources if name.startswith(("service-upkeep", "service-nightly"))
    }
    assert len(gone) == 10
    assert recording.resources.keys() < prod.resources.keys()


def test_a_service_without_the_handler_is_refused_unless_upkeep_is_off(tmp_path: Path):
    project = make_project(tmp_path)
    (project / "service/upkeep.py").unlink()
    with pytest.raises(pulumi.RunError, match=r"no service/upkeep.py: write it, or set upkeep to"):
        evaluate(project)
    assert evaluate(project, config={"upkeep": "false"}).outputs
