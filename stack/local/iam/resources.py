"""Handlers of IAM's resource types: roles and their inline policies."""

from collections.abc import Mapping
from typing import Any

import pulumi_aws as aws

from stack.local.iam.policy import policy_failures, trust_failures
from stack.local.resources.arns import arn
from stack.local.resources.base import Context, all_known
from stack.local.resources.stored import Stored, digest


class Role(Stored):
    """A role that only Lambda or EventBridge Scheduler may assume."""

    sdk = aws.iam.Role
    kind = "roles"
    supported = frozenset({"name", "assumeRolePolicy", "description", "tags"})
    replaces = frozenset({"name"})

    def check(self, inputs: Mapping[str, Any]) -> list[str]:
        if not all_known(inputs, "assumeRolePolicy"):
            return []
        return trust_failures(inputs["assumeRolePolicy"])

    def identify(self, context: Context, inputs: Mapping[str, Any]) -> str:
        return inputs["name"]

    def describe(
        self, context: Context, identity: str, inputs: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        return {
            "arn": arn("iam", "", f"role/{identity}"),
            "createDate": "1970-01-01T00:00:00Z",
            "uniqueId": f"AROA{digest(identity, length=16).upper()}",
            "tagsAll": inputs.get("tags", {}),
        }


class RolePolicy(Stored):
    """An inline policy of a role."""

    sdk = aws.iam.RolePolicy
    kind = "role-policies"
    supported = frozenset({"name", "role", "policy"})
    replaces = frozenset({"name", "role"})

    def check(self, inputs: Mapping[str, Any]) -> list[str]:
        return policy_failures(inputs["policy"]) if all_known(inputs, "policy") else []

    def identify(self, context: Context, inputs: Mapping[str, Any]) -> str:
        return f"{inputs['role']}:{inputs.get('name') or digest(context.urn)}"


HANDLERS = (Role(), RolePolicy())
