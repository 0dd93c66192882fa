"""Which policy documents grant the least privilege, and the errors for others."""

import json
from typing import Any

import pytest

from components.policies import LAMBDA_TRUST_POLICY
from stack.local.iam.policy import allows, policy_failures, trust_failures, trusts

GROUP = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/api:*"
ALLOWED = {
    "Effect": "Allow",
    "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
    "Resource": GROUP,
}
TRUSTED = {
    "Effect": "Allow",
    "Principal": {"Service": "lambda.amazonaws.com"},
    "Action": "sts:AssumeRole",
}


def document(*statements: Any, version: str = "2012-10-17") -> str:
    return json.dumps({"Version": version, "Statement": list(statements)})


@pytest.mark.parametrize(
    "text",
    [
        document(ALLOWED),
        document({**ALLOWED, "Action": "logs:PutLogEvents", "Resource": [GROUP]}),
        document(ALLOWED, ALLOWED),
        json.dumps({"Version": "2012-10-17", "Statement": ALLOWED}),
        document({"Effect": "Deny", "Action": "*", "Resource": "*"}),
        document(
            {**ALLOWED, "Sid": "Logs", "Condition": {"StringEquals": {"aws:SourceAccount": "1"}}}
        ),
    ],
    ids=["list", "texts", "two", "single", "deny", "condition"],
)
def test_a_policy_that_names_actions_and_resources_passes(text: str):
    assert policy_failures(text) == []


BROKEN_FORMS = [
    ("not json", "is not JSON"),
    ("[]", '"Version": "2012-10-17"'),
    ('"text"', '"Version": "2012-10-17"'),
    ("{}", '"Version": "2012-10-17"'),
    (document(ALLOWED, version="2008-10-17"), '"Version": "2012-10-17"'),
    (document(), "needs statements"),
    ('{"Version": "2012-10-17"}', "needs statements"),
    (document("text"), "needs statements"),
    (document({**ALLOWED, **TRUSTED, "Effect": "allow"}), "effect 'allow': Allow or Deny"),
]


@pytest.mark.parametrize(("text", "message"), BROKEN_FORMS)
def test_a_malformed_policy_is_refused_for_its_form(text: str, message: str):
    for check in (policy_failures, trust_failures):
        assert [failure for failure in check(text) if message in failure]


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ({**ALLOWED, "Action": "*"}, "statement 1 allows the action '*'"),
        (
            {**ALLOWED, "Action": ["logs:PutLogEvents", "logs:*"]},
            "statement 1 allows the action 'logs:*'",
        ),
        ({**ALLOWED, "Action": "s3:Get*"}, "allows the action 's3:Get*'"),
        ({**ALLOWED, "Resource": "*"}, "on every resource"),
        ({**ALLOWED, "Resource": "*:*"}, "on every resource"),
        ({**ALLOWED, "Resource": [GROUP, "*"]}, "on every resource"),
        ({"Effect": "Allow", "NotAction": "iam:*", "Resource": GROUP}, "needs Action and Resource"),
        (
            {"Effect": "Allow", "Action": "s3:GetObject", "NotResource": GROUP},
            "needs Action and Resource",
        ),
        ({"Effect": "Allow", "Action": [], "Resource": GROUP}, "needs Action and Resource"),
        ({"Effect": "Allow", "Action": 1, "Resource": GROUP}, "needs Action and Resource"),
        ({"Effect": "Permit", "Action": "s3:GetObject", "Resource": GROUP}, "effect 'Permit'"),
    ],
)
def test_a_policy_beyond_least_privilege_is_refused_with_the_statement_and_what_to_name(
    statement: dict[str, Any], message: str
):
    assert any(message in failure for failure in policy_failures(document(statement)))


def test_each_failure_has_the_number_of_its_statement():
    failures = policy_failures(
        document(ALLOWED, {**ALLOWED, "Action": "*"}, {**ALLOWED, "Resource": "*"})
    )
    assert [failure.split(" allows")[0] for failure in failures] == ["statement 2", "statement 3"]


@pytest.mark.parametrize(
    "text",
    [
        LAMBDA_TRUST_POLICY,
        document(TRUSTED),
        document({**TRUSTED, "Principal": {"Service": ["lambda.amazonaws.com"]}}),
    ],
    ids=["the program's", "text", "list"],
)
def test_a_role_that_only_lambda_may_assume_passes(text: str):
    assert trust_failures(text) == []


@pytest.mark.parametrize(
    "principal",
    [
        "*",
        {"AWS": "*"},
        {"AWS": "arn:aws:iam::123456789012:root"},
        {"Service": "ec2.amazonaws.com"},
        {"Service": ["lambda.amazonaws.com", "ec2.amazonaws.com"]},
        {"Service": "lambda.amazonaws.com", "AWS": "*"},
        {"Federated": "accounts.example.com"},
        None,
    ],
)
def test_a_role_that_another_principal_may_assume_is_refused_with_the_principal(principal: Any):
    failures = trust_failures(document({**TRUSTED, "Principal": principal}))
    assert failures == [
        f"statement 1 lets {json.dumps(principal)} assume the role: "
        "only lambda.amazonaws.com or scheduler.amazonaws.com may"
    ]


@pytest.mark.parametrize("action", ["*", "sts:*", ["sts:AssumeRole", "sts:TagSession"], [], None])
def test_a_trust_policy_with_another_action_is_refused(action: Any):
    assert "statement 1 needs the action sts:AssumeRole" in trust_failures(
        document({**TRUSTED, "Action": action})
    )


def test_the_scheduler_may_assume_a_role_under_conditions_only():
    scheduler = {**TRUSTED, "Principal": {"Service": "scheduler.amazonaws.com"}}
    account = {"aws:SourceAccount": "123456789012"}
    both = {**account, "aws:SourceArn": "arn:aws:scheduler:us-east-1:123456789012:schedule-group/g"}
    complete = document({**scheduler, "Condition": {"StringEquals": both}})
    assert trust_failures(complete) == []
    assert trusts(complete, "scheduler.amazonaws.com")
    assert not trusts(complete, "lambda.amazonaws.com")
    (failure,) = trust_failures(document({**scheduler, "Condition": {"StringEquals": account}}))
    assert "statement 1 needs a condition on aws:SourceArn" in failure
    assert len(trust_failures(document(scheduler))) == 2


def test_a_policy_allows_the_actions_and_resources_that_it_names():
    assert allows(document(ALLOWED), "logs:PutLogEvents", GROUP)
    assert not allows(document(ALLOWED), "logs:DeleteLogGroup", GROUP)
    assert not allows(document(ALLOWED), "logs:PutLogEvents", f"{GROUP}:other"[5:])
    assert not allows(document({**ALLOWED, "Effect": "Deny"}), "logs:PutLogEvents", GROUP)


def test_a_second_statement_is_checked_too():
    assert trust_failures(document(TRUSTED, {**TRUSTED, "Principal": "*"}))[0].startswith(
        "statement 2"
    )
