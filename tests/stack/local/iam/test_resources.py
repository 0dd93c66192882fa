"""The handlers of roles and their policies."""

from tests.support.handler_bench import LOG_POLICY, POLICY, ROLE, TRUST_POLICY, HandlerBench


def test_policy_documents_beyond_least_privilege_are_refused(bench: HandlerBench):
    assert "only lambda.amazonaws.com or" in bench.refusal(
        ROLE, assumeRolePolicy=TRUST_POLICY.replace("lambda.", "ec2.")
    )
    assert "allows the action 'logs:*'" in bench.refusal(
        POLICY, policy=LOG_POLICY.replace("PutLogEvents", "*")
    )
    assert "'managedPolicyArns' is not supported locally" in bench.refusal(
        ROLE, managedPolicyArns=["arn:aws:iam::aws:policy/AdministratorAccess"]
    )
