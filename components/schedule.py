"""Schedule: EventBridge Scheduler invokes a function at certain times."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.policies import invoke_policy, scheduler_trust_policy

RETRIES = 2
"""As many as Lambda makes of an invocation that the function fails; Scheduler's default is 185."""


@dataclass(frozen=True, kw_only=True)
class ScheduleArgs:
    """Arguments of `Schedule`.

    name, group, role: physical names.
    expression: when the function is invoked, such as `cron(5 0 * * ? *)`.
    time_zone: IANA name of the zone whose clock the expression means.
    function_arn: the function, or a version or alias of it.
    event: JSON that the function gets.
    """

    name: str
    group: str
    role: str
    expression: str
    time_zone: str
    function_arn: pulumi.Input[str]
    event: str


class Schedule(pulumi.ComponentResource):
    """A schedule in a group of its own. Its role allows invoking the function and nothing else."""

    name: pulumi.Output[str]

    def __init__(
        self, name: str, args: ScheduleArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("ai-success-insights:index:Schedule", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        group = aws.scheduler.ScheduleGroup(f"{name}-group", name=args.group, opts=child)
        role = aws.iam.Role(
            f"{name}-role",
            name=args.role,
            assume_role_policy=scheduler_trust_policy(group.arn),
            opts=child,
        )
        policy = aws.iam.RolePolicy(
            f"{name}-policy", role=role.id, policy=invoke_policy(args.function_arn), opts=child
        )
        schedule = aws.scheduler.Schedule(
            f"{name}-schedule",
            name=args.name,
            group_name=group.name,
            schedule_expression=args.expression,
            schedule_expression_timezone=args.time_zone,
            flexible_time_window={"mode": "OFF"},
            target={
                "arn": args.function_arn,
                "role_arn": role.arn,
                "input": args.event,
                "retry_policy": {"maximum_retry_attempts": RETRIES},
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
        )
        self.name = schedule.name
        self.register_outputs({"name": self.name})
