"""IAM policy documents: the trust policy of a role, and the permissions of a function."""

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
