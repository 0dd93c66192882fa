"""Secrets, least privilege, retention, tags and protection."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from stack.local.iam.policy import policy_failures, trust_failures
from stack.local.resources import values
from stack.local.resources.values import Secret
from tests.support.program import (
    COMPUTED_OUTPUTS,
    PASSWORD,
    Recording,
    evaluate,
    recorded,
)

NEON = "neon:index/project:Project"
ESCAPED_PASSWORD = quote(PASSWORD, safe="")


def test_no_secret_is_sent_as_plain_text(prod: Recording):
    shown, revealed = prod.text(values.redact), prod.text(values.reveal)
    for secret in (PASSWORD, ESCAPED_PASSWORD, "sk-secret"):
        assert secret not in shown
    assert ESCAPED_PASSWORD in revealed, (
        "`text` shows secrets if asked to, so it would show plain values too"
    )
    assert "sk-secret" in revealed


@pytest.mark.parametrize(
    "name", ["service-api-function", "service-migrate-function", "service-upkeep-function"]
)
def test_a_functions_environment_is_one_secret_as_a_whole(prod: Recording, name: str):
    assert isinstance(prod[name].inputs["environment"]["variables"], Secret)
    assert not isinstance(prod[name].inputs["name"], Secret)
    assert not isinstance(prod[name].inputs["timeout"], Secret)


def test_the_databases_urls_are_secret_and_other_outputs_are_not(prod: Recording):
    secret = {name for name, value in prod.outputs.items() if values.holds(value, Secret)}
    assert secret == {"database_url", "direct_database_url"}
    urls = {
        name
        for name, value in prod.component_outputs["database"].items()
        if values.holds(value, Secret)
    }
    assert urls == {"pooled_url", "direct_url"}
    plain = ("gateway", "site", "service", "release", "service-api", "service-migrate")
    for name in (*plain, "service-upkeep", "service-nightly"):
        assert not values.holds(dict(prod.component_outputs[name]), Secret), name


def test_the_databases_urls_are_secret_if_the_provider_marks_nothing_as_secret(project: Path):
    computed_outputs = {
        **COMPUTED_OUTPUTS,
        NEON: {
            key: value for key, value in COMPUTED_OUTPUTS[NEON].items() if key != "databasePassword"
        },
    }
    computed_outputs[NEON]["databasePassword"] = "plain"

    class Unmarked(Recording):
        def register(self, registration: Any) -> tuple[str, Mapping[str, Any]]:
            identity, outputs = super().register(registration)
            return identity, values.reveal(outputs)

    recording = evaluate(project, into=Unmarked(preview=False, computed_outputs=computed_outputs))
    assert isinstance(recording.outputs["database_url"], Secret)
    assert isinstance(recording["service-api-function"].inputs["environment"]["variables"], Secret)


@pytest.mark.parametrize("function_", ["service-api", "service-migrate", "service-upkeep"])
def test_a_function_may_write_to_its_own_log_group_and_nothing_else(
    prod: Recording, function_: str
):
    group = prod[f"{function_}-log"].inputs["name"]
    policy = json.loads(prod[f"{function_}-policy"].inputs["policy"])
    assert policy["Statement"] == [
        {
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": f"arn:aws:logs:us-east-1:123456789012:log-group:{group}:*",
        }
    ]
    assert prod[f"{function_}-policy"].inputs["role"] == f"{function_}-role-id"
    assert prod[f"{function_}-function"].plain["loggingConfig"] == {
        "logFormat": "Text",
        "logGroup": group,
    }


def test_every_policy_is_least_privilege_and_every_role_trusts_only_the_service_that_uses_it(
    prod: Recording,
):
    policies, roles = prod.of(":RolePolicy"), prod.of(":Role")
    assert (len(policies), len(roles)) == (4, 4)
    for policy in policies:
        assert policy_failures(policy.inputs["policy"]) == []
        assert '"*"' not in policy.inputs["policy"]
    for role in roles:
        assert trust_failures(role.inputs["assumeRolePolicy"]) == []
        assert "managedPolicyArns" not in role.inputs
    types = {resource.type for resource in prod.resources.values()}
    assert not {kind for kind in types if "PolicyAttachment" in kind or "functionUrl" in kind}


def test_every_log_group_has_the_configured_retention(project: Path):
    groups = recorded(project, logRetentionDays="90").of(":LogGroup")
    assert {group.name: group.inputs["retentionInDays"] for group in groups} == {
        "gateway-access-log": 90,
        "service-api-log": 90,
        "service-migrate-log": 90,
        "service-upkeep-log": 90,
    }


def test_every_resource_of_aws_has_the_explicit_provider(prod: Recording):
    on_aws = [resource for resource in prod.resources.values() if resource.type.startswith("aws:")]
    assert len(on_aws) == 26
    assert {resource.provider for resource in on_aws} == {"aws"}
    assert prod["aws"].plain["region"] == "us-east-1"
    assert json.loads(prod["aws"].plain["defaultTags"]) == {
        "tags": {"project": "ai-success-insights", "stack": "prod", "managed-by": "pulumi"}
    }


def test_the_provider_is_restricted_to_the_allowed_accounts_if_there_are_any(
    project: Path, prod: Recording
):
    assert "allowedAccountIds" not in prod["aws"].inputs
    assert json.loads(
        recorded(project, allowedAccountIds='["123456789012"]')["aws"].plain["allowedAccountIds"]
    ) == ["123456789012"]


def test_production_protects_only_data_and_addresses_that_others_use(
    prod: Recording, dev: Recording
):
    protected = {name for name, resource in prod.resources.items() if resource.protect}
    assert protected == {"database-project", "gateway-api", "site-project", "site-domain"}
    assert not [name for name, resource in dev.resources.items() if resource.protect]
