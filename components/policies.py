"""IAM policy documents: the trust policies of roles, and their permissions."""

import json

import pulumi

LAMBDA_TRUST_POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)


def scheduler_trust_policy(group_arn: pulumi.Input[str]) -> pulumi.Output[str]:
    """Return a policy that lets EventBridge Scheduler assume a role for one group of schedules.

    Without the conditions, a schedule of another account could use the role (IAM documentation,
    The confused deputy problem). Scheduler knows the ARN of a schedule's group only.
    """
    return pulumi.Output.json_dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "scheduler.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                    "Condition": {
                        "StringEquals": {
                            "aws:SourceAccount": pulumi.Output.from_input(group_arn).apply(
                                lambda arn: arn.split(":")[-2:][0]
                            ),
                            "aws:SourceArn": group_arn,
                        }
                    },
                }
            ],
        }
    )


def invoke_policy(function_arn: pulumi.Input[str]) -> pulumi.Output[str]:
    """Return a policy that allows invoking one function."""
    return pulumi.Output.json_dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": "lambda:InvokeFunction",
                    "Resource": function_arn,
                }
            ],
        }
    )


def log_policy(log_group_arn: pulumi.Input[str]) -> pulumi.Output[str]:
    """Return a policy that allows writing to one log group.

    It does not allow creating the group, which the program does.
    """
    return pulumi.Output.json_dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                    "Resource": pulumi.Output.concat(log_group_arn, ":*"),
                }
            ],
        }
    )
