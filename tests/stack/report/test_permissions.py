"""Which permissions are found in a snapshot."""

import json
from typing import Any

import pytest

from stack.report.permissions import Permission, permissions
from tests.support.snapshots import resource, snapshot


def statement(**parts: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **parts}]})


def test_a_statement_gives_a_permission_for_each_action_on_each_resource() -> None:
    policy = statement(
        Action=["s3:GetObject", "s3:PutObject"],
        Resource=["a", "b"],
        Condition={"Bool": {"aws:SecureTransport": "true"}},
    )
    found = permissions(snapshot(resource("policy", policy=policy)))
    assert {(it.action, it.resource) for it in found} == {
        (a, r) for a in ("s3:GetObject", "s3:PutObject") for r in ("a", "b")
    }
    assert {it.condition for it in found} == {'{"Bool": {"aws:SecureTransport": "true"}}'}


def test_principals_negated_elements_and_single_statements_are_read() -> None:
    trust = json.dumps(
        {
            "Statement": {
                "Effect": "Deny",
                "NotPrincipal": {"AWS": ["1", "2"]},
                "NotAction": "s3:*",
                "NotResource": "x",
            }
        }
    )
    assert permissions(snapshot(resource("role", trust=trust))) == {
        Permission("role", "Deny", "not s3:*", "not x", f"not AWS {account}", "")
        for account in ("1", "2")
    }
    public = permissions(
        snapshot(
            resource(
                "queue", policy=statement(Principal="*", Action="sqs:SendMessage", Resource="q")
            )
        )
    )
    assert {it.principal for it in public} == {"*"}


def test_a_lambda_permission_is_read_although_it_is_no_document() -> None:
    (found,) = permissions(
        snapshot(
            resource(
                "p",
                action="lambda:InvokeFunction",
                principal="apigateway",
                function="f",
                sourceArn="arn",
            )
        )
    )
    assert (found.action, found.resource, found.principal, found.condition) == (
        "lambda:InvokeFunction", "f", "apigateway", '{"sourceArn": "arn"}',
    )  # fmt: skip


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "{}", '{"Statement": null}', '{"Statement": ["x"]}', "plain", '["Statement"]'],
)
def test_text_that_is_no_policy_gives_no_permission(text: str) -> None:
    assert permissions(snapshot(resource("a", x=text, y={"z": text}))) == frozenset()
