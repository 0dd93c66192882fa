"""Handlers of EventBridge Scheduler's resource types: groups and schedules."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pulumi_aws as aws

from common.errors import UserError
from stack.local.iam.policy import allows, trusts
from stack.local.resources.arns import arn, parse_function_arn
from stack.local.resources.base import Context, all_known
from stack.local.resources.stored import Stored
from stack.local.scheduler.expression import parse
from stack.local.scheduler.schedules import DEFAULT_RETRIES, SCHEDULES, Schedules

SERVICE = "scheduler.amazonaws.com"
DEFAULT_GROUP = "default"
TARGET_INPUTS = {"arn", "roleArn", "input", "retryPolicy"}


class ScheduleGroup(Stored):
    """A group of schedules."""

    sdk = aws.scheduler.ScheduleGroup
    kind = "schedule-groups"
    supported = frozenset({"name", "tags"})
    replaces = frozenset({"name"})

    def identify(self, context: Context, inputs: Mapping[str, Any]) -> str:
        return inputs["name"]

    def describe(
        self, context: Context, identity: str, inputs: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        return {
            "arn": arn("scheduler", context.region, f"schedule-group/{identity}"),
            "creationDate": "1970-01-01T00:00:00Z",
            "lastModificationDate": "1970-01-01T00:00:00Z",
            "state": "ACTIVE",
            "tagsAll": inputs.get("tags", {}),
        }


class Schedule(Stored):
    """A schedule whose target is a function; `Schedules` invokes it.

    `since` of the record is when it was created or last changed: times before do not count.
    """

    sdk = aws.scheduler.Schedule
    kind = SCHEDULES
    supported = frozenset(
        {
            "name",
            "groupName",
            "scheduleExpression",
            "scheduleExpressionTimezone",
            "flexibleTimeWindow",
            "target",
            "state",
            "description",
        }
    )
    replaces = frozenset({"name", "groupName"})

    def check(self, inputs: Mapping[str, Any]) -> list[str]:
        failures: list[str] = []
        if all_known(inputs, "scheduleExpression", "scheduleExpressionTimezone"):
            try:
                parse(inputs["scheduleExpression"], _time_zone(inputs), datetime.now(UTC))
            except ValueError as error:
                failures.append(str(error))
        if all_known(inputs, "flexibleTimeWindow"):
            window = inputs["flexibleTimeWindow"]
            if window != {"mode": "OFF"}:
                failures.append(f"flexibleTimeWindow is {window}: locally the mode must be OFF")
        if all_known(inputs, "target"):
            failures += _target_failures(inputs["target"])
        return failures

    def identify(self, context: Context, inputs: Mapping[str, Any]) -> str:
        return f"{inputs.get('groupName') or DEFAULT_GROUP}/{inputs['name']}"

    def describe(
        self, context: Context, identity: str, inputs: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        group = identity.partition("/")[0]
        if group != DEFAULT_GROUP and not context.cloud.store.get(ScheduleGroup.kind, group):
            raise UserError(f"there is no schedule group {group!r}")
        _check_role(context, inputs["target"])
        return {
            "arn": arn("scheduler", context.region, f"schedule/{identity}"),
            "scheduleExpressionTimezone": _time_zone(inputs),
            "since": datetime.now(UTC).isoformat(),
        }

    def applied(self, context: Context, identity: str) -> None:
        schedules = context.cloud.service(Schedules)
        if context.cloud.store.get(self.kind, identity) is None:
            schedules.forget(identity)
        schedules.changed()


def _time_zone(inputs: Mapping[str, Any]) -> str:
    return inputs.get("scheduleExpressionTimezone") or "UTC"


def _target_failures(target: Mapping[str, Any]) -> list[str]:
    policy = target.get("retryPolicy") or {}
    failures = [
        f"target.{key} is not supported locally" for key in sorted(target.keys() - TARGET_INPUTS)
    ]
    try:
        parse_function_arn(target["arn"])
    except ValueError as error:
        failures.append(f"target.arn: {error}, the only target that is supported locally")
    if "<aws.scheduler." in (target.get("input") or ""):
        failures.append("target.input has a context attribute, which is not supported locally")
    for key, low in {"maximumRetryAttempts": 0, "maximumEventAgeInSeconds": 60}.items():
        high = DEFAULT_RETRIES[key]
        if not low <= policy.get(key, low) <= high:
            failures.append(f"target.retryPolicy.{key} must be {low} to {high}")
    return failures


def _check_role(context: Context, target: Mapping[str, Any]) -> None:
    """Raise `UserError` unless Scheduler may assume the role, and the role may invoke the target.

    AWS checks the first when a schedule is created; without the second no invocation succeeds.
    """
    role = target["roleArn"].rpartition("/")[2]
    record = context.cloud.store.get("roles", role)
    if record is None or not trusts(record["assumeRolePolicy"], SERVICE):
        raise UserError(f"the role {role!r} must exist and allow {SERVICE} to assume it")
    policies = context.cloud.store.find("role-policies", role=role).values()
    function = target["arn"]
    if not any(allows(item["policy"], "lambda:InvokeFunction", function) for item in policies):
        raise UserError(
            f"no policy of the role {role!r} allows lambda:InvokeFunction on {function}"
        )


HANDLERS = (ScheduleGroup(), Schedule())
