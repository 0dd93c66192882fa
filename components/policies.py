"""IAM documents: who may assume a role, and what a function may do."""

import json

import pulumi

ASSUMED_BY_LAMBDA = json.dumps(
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


def may_log_to(log_group_arn: pulumi.Input[str]) -> pulumi.Output[str]:
    """A policy that allows writing to this one log group and nothing else; the group itself is made by the program."""
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
