"""The handlers of schedule groups and schedules."""

from typing import Any

import pytest

from common.errors import UserError
from tests.support.handler_bench import (
    SCHEDULE,
    SCHEDULE_TRUST_POLICY,
    TRUST_POLICY,
    UPKEEP_ARN,
    HandlerBench,
)


def target(bench: HandlerBench, **changed: Any) -> dict[str, Any]:
    return {**bench.sample(SCHEDULE)["target"], **changed}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"scheduleExpression": "cron(5 0 * * ?)"}, "has 5 fields and needs six"),
        ({"scheduleExpressionTimezone": "Berlin"}, "'Berlin' is not the name of a time zone"),
        ({"flexibleTimeWindow": {"mode": "FLEXIBLE", "maximumWindowInMinutes": 5}}, "must be OFF"),
        ({"endDate": "2027-01-01T00:00:00Z"}, "'endDate' is not supported locally"),
    ],
)
def test_a_schedule_that_would_not_be_invoked_as_on_aws_is_refused(
    bench: HandlerBench, changed: dict[str, Any], reason: str
):
    assert reason in bench.refusal(SCHEDULE, **changed)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"arn": "arn:aws:sqs:us-east-1:000000000000:jobs"}, "is not the ARN of a function"),
        ({"deadLetterConfig": {"arn": "a"}}, "target.deadLetterConfig is not supported locally"),
        ({"input": '{"at": "<aws.scheduler.scheduled-time>"}'}, "has a context attribute"),
        ({"retryPolicy": {"maximumRetryAttempts": 186}}, "must be 0 to 185"),
        ({"retryPolicy": {"maximumEventAgeInSeconds": 59}}, "must be 60 to 86400"),
    ],
)
def test_a_target_that_the_local_cloud_cannot_invoke_is_refused(
    bench: HandlerBench, changed: dict[str, Any], reason: str
):
    assert reason in bench.refusal(SCHEDULE, target=target(bench, **changed))


def test_the_role_must_exist_trust_the_scheduler_and_allow_the_invocation(bench: HandlerBench):
    with pytest.raises(UserError, match="the role 'gone' must exist"):
        bench.create(SCHEDULE, target=target(bench, roleArn="arn:aws:iam::000000000000:role/gone"))
    with pytest.raises(UserError, match=f"allows lambda:InvokeFunction on {UPKEEP_ARN}:live"):
        bench.create(SCHEDULE, target=target(bench, arn=f"{UPKEEP_ARN}:live"))
    bench.store.put("roles", "schedule", {"owner": "urn", "assumeRolePolicy": TRUST_POLICY})
    with pytest.raises(UserError, match=r"allow scheduler.amazonaws.com to assume it"):
        bench.create(SCHEDULE)
    bench.store.put(
        "roles", "schedule", {"owner": "urn", "assumeRolePolicy": SCHEDULE_TRUST_POLICY}
    )
    assert bench.create(SCHEDULE)[0] == "g/upkeep"


def test_a_group_that_does_not_exist_is_refused(bench: HandlerBench):
    with pytest.raises(UserError, match="there is no schedule group 'other'"):
        bench.create(SCHEDULE, groupName="other")


def test_a_change_is_applied_and_counts_from_now_and_a_deletion_forgets_the_runs(
    bench: HandlerBench,
):
    identity, outputs = bench.create(SCHEDULE)
    assert outputs["arn"] == "arn:aws:scheduler:us-east-1:000000000000:schedule/g/upkeep"
    created = bench.store.find("schedules")[identity]["since"]
    bench.update(SCHEDULE, identity, scheduleExpressionTimezone="Asia/Tokyo")
    record = bench.store.find("schedules")[identity]
    assert record["scheduleExpressionTimezone"] == "Asia/Tokyo"
    assert record["since"] > created
    bench.delete(SCHEDULE, identity)
    assert bench.data.calls == ["changed"] * 3
    assert bench.data.forgotten == [identity]
