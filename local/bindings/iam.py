"""Roles and policies: documents that are parsed and kept within least privilege."""

from collections.abc import Iterable, Mapping
from typing import Any

import pulumi_aws as aws

from local.arns import arn
from local.bindings.stored import Stored, digest
from local.iam import policy_failures, trust_failures
from local.realise import Context, Realiser, known


class Role(Stored):
    """A role that only Lambda may assume."""

    sdk = aws.iam.Role
    kind = "roles"
    supported = frozenset({"name", "assumeRolePolicy", "description", "tags"})
    replaces = frozenset({"name"})

    def check(self, inputs: Mapping[str, Any]) -> list[str]:
        return trust_failures(inputs["assumeRolePolicy"]) if known(inputs, "assumeRolePolicy") else []

    def identify(self, context: Context, inputs: Mapping[str, Any]) -> str:
        return inputs["name"]

    def describe(self, context: Context, identity: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
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
        return policy_failures(inputs["policy"]) if known(inputs, "policy") else []

    def identify(self, context: Context, inputs: Mapping[str, Any]) -> str:
        return f"{inputs['role']}:{inputs.get('name') or digest(context.urn)}"


def realisers() -> Iterable[Realiser]:
    return (Role(), RolePolicy())
