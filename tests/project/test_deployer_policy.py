"""`docs/deployer-policy.json` allows the actions of an update on the program's resources only."""

import fnmatch
import json
import re
from collections.abc import Mapping
from typing import Any

from config.naming import Names
from tests.support.project_files import ROOT

POLICY: Mapping[str, Any] = json.loads(
    (ROOT / "docs/deployer-policy.json").read_text(encoding="utf-8")
)

# Actions that the provider calls to create, read, update, delete and tag a resource, by its type
# (the source of terraform-provider-aws)
NEEDED = {
    "apigatewayv2.Api": (
        "apigateway:POST",
        "apigateway:GET",
        "apigateway:PATCH",
        "apigateway:DELETE",
        "apigateway:TagResource",
    ),
    "apigatewayv2.Integration": (
        "apigateway:POST",
        "apigateway:GET",
        "apigateway:PATCH",
        "apigateway:DELETE",
    ),
    "apigatewayv2.Route": (
        "apigateway:POST",
        "apigateway:GET",
        "apigateway:PATCH",
        "apigateway:DELETE",
    ),
    "apigatewayv2.Stage": (
        "apigateway:POST",
        "apigateway:PATCH",
        "logs:CreateLogDelivery",
        "logs:PutResourcePolicy",
    ),
    "cloudwatch.LogGroup": (
        "logs:CreateLogGroup",
        "logs:PutRetentionPolicy",
        "logs:DescribeLogGroups",
        "logs:DeleteLogGroup",
    ),
    "iam.Role": (
        "iam:CreateRole",
        "iam:GetRole",
        "iam:UpdateAssumeRolePolicy",
        "iam:DeleteRole",
        "iam:TagRole",
        "iam:PassRole",
    ),
    "iam.RolePolicy": ("iam:PutRolePolicy", "iam:GetRolePolicy", "iam:DeleteRolePolicy"),
    "lambda_.Alias": (
        "lambda:CreateAlias",
        "lambda:GetAlias",
        "lambda:UpdateAlias",
        "lambda:DeleteAlias",
    ),
    "lambda_.Function": (
        "lambda:CreateFunction",
        "lambda:UpdateFunctionCode",
        "lambda:PublishVersion",
        "lambda:DeleteFunction",
    ),
    "lambda_.Invocation": ("lambda:InvokeFunction",),
    "lambda_.LayerVersion": (
        "lambda:PublishLayerVersion",
        "lambda:GetLayerVersion",
        "lambda:DeleteLayerVersion",
    ),
    "lambda_.Permission": ("lambda:AddPermission", "lambda:GetPolicy", "lambda:RemovePermission"),
    "scheduler.Schedule": (
        "scheduler:CreateSchedule",
        "scheduler:GetSchedule",
        "scheduler:UpdateSchedule",
        "scheduler:DeleteSchedule",
        "iam:PassRole",
    ),
    "scheduler.ScheduleGroup": (
        "scheduler:CreateScheduleGroup",
        "scheduler:GetScheduleGroup",
        "scheduler:DeleteScheduleGroup",
        "scheduler:ListTagsForResource",
        "scheduler:TagResource",
        "scheduler:UntagResource",
    ),
}
# Statements whose actions have no resource-level permissions (AWS service authorization reference)
WITHOUT_RESOURCES = {"AccessLogsOfTheStage"}


def _texts(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _allowed(action: str) -> list[str]:
    """Return the resource patterns for which an action is allowed, without placeholders."""
    filled = {
        "ACCOUNT_ID": "123456789012",
        "REGION": "eu-central-1",
        "PREFIX": "ai-success-insights-prod",
    }
    patterns = [
        p
        for s in POLICY["Statement"]
        if action in _texts(s["Action"])
        for p in _texts(s["Resource"])
    ]
    for word, value in filled.items():
        patterns = [pattern.replace(word, value) for pattern in patterns]
    return patterns


def test_every_type_of_resource_in_the_program_is_covered() -> None:
    sources = [
        path.read_text(encoding="utf-8") for path in sorted((ROOT / "components").glob("*.py"))
    ]
    used = {name for source in sources for name in re.findall(r"\baws\.(\w+\.[A-Z]\w+)\(", source)}
    assert used == NEEDED.keys(), (
        "add the actions of the new type to NEEDED and to docs/deployer-policy.json"
    )
    assert {
        action for actions in NEEDED.values() for action in actions if not _allowed(action)
    } == set()


def test_it_allows_actions_on_resources_of_the_program_and_not_of_other_projects() -> None:
    account, region = "123456789012", "eu-central-1"
    names = Names(project="ai-success-insights", stack="prod", region=region)
    functions, roles = (
        (names.function, names.migration_function, names.upkeep_function),
        (names.function_role, names.migration_role, names.upkeep_role, names.schedule_role),
    )
    groups = (
        names.function_log_group,
        names.migration_log_group,
        names.upkeep_log_group,
        names.access_log_group,
    )
    allowed = {
        "lambda:UpdateFunctionCode": [
            f"arn:aws:lambda:{region}:{account}:function:{name}" for name in functions
        ],
        "lambda:InvokeFunction": [
            f"arn:aws:lambda:{region}:{account}:function:{names.migration_function}:$LATEST"
        ],
        "lambda:GetLayerVersion": [f"arn:aws:lambda:{region}:{account}:layer:{names.layer}:7"],
        "iam:PassRole": [f"arn:aws:iam::{account}:role/{name}" for name in roles],
        "logs:CreateLogGroup": [
            f"arn:aws:logs:{region}:{account}:log-group:{name}:log-stream:" for name in groups
        ],
        "scheduler:UpdateSchedule": [
            f"arn:aws:scheduler:{region}:{account}:schedule/"
            f"{names.schedule_group}/{names.upkeep_schedule}"
        ],
        "scheduler:TagResource": [
            f"arn:aws:scheduler:{region}:{account}:schedule-group/{names.schedule_group}"
        ],
        "apigateway:PATCH": [f"arn:aws:apigateway:{region}::/apis/a1b2c3/stages/$default"],
    }
    for action, resources in allowed.items():
        for resource in resources:
            other = resource.replace("ai-success-insights-prod", "payroll-prod")
            assert any(fnmatch.fnmatchcase(resource, pattern) for pattern in _allowed(action)), (
                f"{action} on {resource}"
            )
            assert other == resource or not any(
                fnmatch.fnmatchcase(other, pattern) for pattern in _allowed(action)
            )


def test_it_names_its_actions_and_its_resources() -> None:
    for statement in POLICY["Statement"]:
        assert [action for action in _texts(statement["Action"]) if "*" in action] == []
        assert ("*" in _texts(statement["Resource"])) == (statement["Sid"] in WITHOUT_RESOURCES)
        if "iam:PassRole" in _texts(statement["Action"]):
            assert statement["Condition"] == {
                "StringEquals": {
                    "iam:PassedToService": ["lambda.amazonaws.com", "scheduler.amazonaws.com"]
                }
            }
