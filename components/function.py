"""Function: a Lambda function with the role, the policy and the log group that only it uses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from bundle.target import Target
from components.policies import ASSUMED_BY_LAMBDA, may_log_to
from config.function_environment import check_environment
from config.types import Sizing


@dataclass(frozen=True, kw_only=True)
class FunctionArgs:
    """Arguments of `Function`.

    name, role, log_group: physical names.
    target: Python version and processor that `code` and `layers` were built for.
    code: path of the zip, relative to the program.
    layers: ARNs of layer versions.
    handler: dotted module and function.
    environment: variables; as secret as the most secret of them. More than 4 KB is refused before Lambda would.
    sizing: memory, timeout and concurrency.
    publish: publish a version on each change.
    after: what must be done before the function is changed.
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
    """A function whose role may write to its own log group and nothing else."""

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
            f"{name}-role", name=args.role, assume_role_policy=ASSUMED_BY_LAMBDA, opts=child
        )
        policy = aws.iam.RolePolicy(
            f"{name}-policy", role=role.id, policy=may_log_to(log_group.arn), opts=child
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
            environment={"variables": pulumi.Output.all(**args.environment).apply(_checked)},
            memory_size=args.sizing.memory,
            timeout=args.sizing.timeout,
            publish=args.publish,
            reserved_concurrent_executions=args.sizing.reserved_concurrency or -1,
            logging_config={"log_format": "Text", "log_group": log_group.name},
            # Without the policy the first lines are lost.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy, *args.after]),
        )
        self.name = self.function.name
        self.register_outputs({"name": self.name})


def _checked(variables: Mapping[str, str]) -> Mapping[str, str]:
    filled = {name: value for name, value in variables.items() if value}
    check_environment(filled)
    return filled
