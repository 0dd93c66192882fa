"""Function: a Lambda function with a role, a policy and a log group of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from bundle.target import Target
from components.policies import LAMBDA_TRUST_POLICY, log_policy
from config.function_environment import check_environment
from config.types import Sizing


@dataclass(frozen=True, kw_only=True)
class FunctionArgs:
    """Arguments of `Function`.

    name, role, log_group: physical names.
    log_retention_days: days that the logs are kept.
    target: Python version and architecture that `code` and `layers` were built for.
    code: path of the zip, relative to the program.
    layers: ARNs of layer versions.
    handler: dotted module and function.
    environment: variables; all are secret if one is. Empty ones are left out, and more than 4 KB
        is refused before Lambda would refuse it.
    sizing: memory, timeout and concurrency.
    publish: publish a version on each change.
    after: resources that must be up to date before the function is changed.
    """

    name: str
    role: str
    log_group: str
    log_retention_days: int
    target: Target
    code: str
    layers: Sequence[pulumi.Input[str]]
    handler: str
    environment: Mapping[str, pulumi.Input[str]]
    sizing: Sizing
    publish: bool = False
    after: Sequence[pulumi.Resource] = ()


class Function(pulumi.ComponentResource):
    """A Lambda function. Its role allows writing to its own log group and nothing else."""

    function: aws.lambda_.Function
    name: pulumi.Output[str]

    def __init__(
        self, name: str, args: FunctionArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("ai-success-insights:index:Function", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        log_group = aws.cloudwatch.LogGroup(
            f"{name}-log",
            name=args.log_group,
            retention_in_days=args.log_retention_days,
            opts=child,
        )
        role = aws.iam.Role(
            f"{name}-role", name=args.role, assume_role_policy=LAMBDA_TRUST_POLICY, opts=child
        )
        policy = aws.iam.RolePolicy(
            f"{name}-policy", role=role.id, policy=log_policy(log_group.arn), opts=child
        )
        self.function = aws.lambda_.Function(
            f"{name}-function",
            name=args.name,
            role=role.arn,
            runtime=f"python{args.target.python}",
            architectures=[args.target.architecture],
            code=pulumi.FileArchive(args.code),
            layers=args.layers,
            handler=args.handler,
            environment={
                "variables": pulumi.Output.all(**args.environment).apply(_checked_environment)
            },
            memory_size=args.sizing.memory,
            timeout=args.sizing.timeout,
            publish=args.publish,
            reserved_concurrent_executions=args.sizing.reserved_concurrency or -1,
            logging_config={"log_format": "Text", "log_group": log_group.name},
            # The function would lose its first log lines if it ran before it has the policy.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy, *args.after]),
        )
        self.name = self.function.name
        self.register_outputs({"name": self.name})


def _checked_environment(variables: Mapping[str, str]) -> Mapping[str, str]:
    filled = {name: value for name, value in variables.items() if value}
    check_environment(filled)
    return filled
