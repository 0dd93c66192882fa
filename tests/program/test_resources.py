"""The resources that the program registers, their names, and the outputs."""

import inspect
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components import database, function, gateway, release, schedule, service, site
from config.naming import Names
from stack.local.resources import values
from tests.support.configuration import SITE_DOMAIN
from tests.support.program import (
    COMPUTED_OUTPUTS,
    Recording,
    Resource,
    recorded,
)

GOLDEN = """
aws                          pulumi:providers:aws
database                     ai-success-insights:index:Database
  database-project             neon:index/project:Project
gateway                      ai-success-insights:index:Gateway
  gateway-access-log           aws:cloudwatch/logGroup:LogGroup
  gateway-api                  aws:apigatewayv2/api:Api
release                      ai-success-insights:index:Release
  release-deployment           vercel:index/deployment:Deployment
service                      ai-success-insights:index:Service
  service-api                  ai-success-insights:index:Function
    service-api-function         aws:lambda/function:Function
    service-api-log              aws:cloudwatch/logGroup:LogGroup
    service-api-policy           aws:iam/rolePolicy:RolePolicy
    service-api-role             aws:iam/role:Role
  service-default-route        aws:apigatewayv2/route:Route
  service-integration          aws:apigatewayv2/integration:Integration
  service-layer                aws:lambda/layerVersion:LayerVersion
  service-live                 aws:lambda/alias:Alias
  service-migrate              ai-success-insights:index:Function
    service-migrate-function     aws:lambda/function:Function
    service-migrate-log          aws:cloudwatch/logGroup:LogGroup
    service-migrate-policy       aws:iam/rolePolicy:RolePolicy
    service-migrate-role         aws:iam/role:Role
  service-migration            aws:lambda/invocation:Invocation
  service-nightly              ai-success-insights:index:Schedule
    service-nightly-group        aws:scheduler/scheduleGroup:ScheduleGroup
    service-nightly-policy       aws:iam/rolePolicy:RolePolicy
    service-nightly-role         aws:iam/role:Role
    service-nightly-schedule     aws:scheduler/schedule:Schedule
  service-permission           aws:lambda/permission:Permission
  service-stage                aws:apigatewayv2/stage:Stage
  service-upkeep               ai-success-insights:index:Function
    service-upkeep-function      aws:lambda/function:Function
    service-upkeep-log           aws:cloudwatch/logGroup:LogGroup
    service-upkeep-policy        aws:iam/rolePolicy:RolePolicy
    service-upkeep-role          aws:iam/role:Role
  service-verification         aws:lambda/invocation:Invocation
site                         ai-success-insights:index:Site
  site-api-url                 vercel:index/projectEnvironmentVariable:ProjectEnvironmentVariable
  site-domain                  vercel:index/projectDomain:ProjectDomain
  site-project                 vercel:index/project:Project
"""


COMPONENTS = [
    database.Database,
    gateway.Gateway,
    site.Site,
    service.Service,
    function.Function,
    schedule.Schedule,
    release.Release,
]


API_URL = COMPUTED_OUTPUTS["aws:apigatewayv2/api:Api"]["apiEndpoint"]
NEON = "neon:index/project:Project"


def tree(recording: Recording, parent: str, depth: int = 0) -> list[str]:
    """The resources below a parent, indented, sorted by name."""
    lines: list[str] = []
    for name, resource in sorted(recording.resources.items()):
        if resource.parent == parent:
            indented = "  " * depth + name
            lines += [
                f"{indented:<{29 + 2 * depth}}{resource.type}",
                *tree(recording, name, depth + 1),
            ]
    return lines


def test_the_program_registers_exactly_these_resources(prod: Recording):
    assert "\n".join(tree(prod, "ai-success-insights-prod")) == GOLDEN.strip("\n")
    assert len(prod.resources) == len(GOLDEN.strip().splitlines()), (
        "each belongs to a component of `__main__.py`"
    )


def test_a_preview_registers_the_same_names_without_ids_and_computed_outputs(
    prod: Recording, preview: Recording
):
    assert preview.names == prod.names
    assert values.holds(dict(preview["service-integration"].inputs), values.Unknown), (
        "otherwise this test would check nothing"
    )
    assert not values.holds(
        [resource.inputs for resource in prod.resources.values()], values.Unknown
    )


def test_another_stack_or_region_registers_the_same_names(prod: Recording, project: Path):
    assert recorded(project, "dev").names == prod.names
    assert recorded(project, aws_region="eu-central-1").names == prod.names


@pytest.mark.parametrize(
    "name", [line.split()[0] for line in GOLDEN.splitlines() if line.startswith("  ")]
)
def test_a_child_is_named_after_its_component(prod: Recording, name: str):
    assert name.startswith(f"{prod[name].parent}-")


def test_a_region_other_than_the_default_is_in_the_name_of_every_resource_of_aws(project: Path):
    recording = recorded(project, aws_region="eu-central-1")
    assert recording["aws"].plain["region"] == "eu-central-1"
    named = {
        resource.name: name
        for resource in recording.resources.values()
        if (name := _physical_name(resource))
    }
    assert len(named) == 17
    assert all("eu-central-1" in name for name in named.values()), named


def _physical_name(resource: Resource) -> str | None:
    if not resource.type.startswith("aws:") or resource.inputs.get("name") in ("live", "$default"):
        return None
    return (
        resource.inputs.get("name")
        or resource.inputs.get("layerName")
        or resource.inputs.get("functionName")
    )


def test_physical_names_are_those_of_config_naming(prod: Recording):
    names = Names(project="ai-success-insights", stack="prod", region="us-east-1")
    assert prod["site-project"].plain == {"name": names.vercel_project}, (
        "no framework and no region: the provider would call Vercel in previews"
    )
    assert prod["gateway-api"].inputs["name"] == names.api
    assert prod["service-layer"].inputs["layerName"] == names.layer
    assert prod["service-api-role"].inputs["name"] == names.function_role
    assert prod["service-migrate-role"].inputs["name"] == names.migration_role
    assert prod["service-upkeep-role"].inputs["name"] == names.upkeep_role
    assert prod["service-nightly-role"].inputs["name"] == names.schedule_role
    assert prod["service-nightly-group"].inputs["name"] == names.schedule_group
    assert prod["service-nightly-schedule"].inputs["name"] == names.upkeep_schedule
    assert prod["gateway-access-log"].inputs["name"] == names.access_log_group


def test_the_stack_has_these_outputs(prod: Recording):
    shown = {name: values.redact(value) for name, value in prod.outputs.items()}
    assert shown == {
        "api_url": API_URL,
        "frontend_url": f"https://{SITE_DOMAIN}",
        "cors_origins": [f"https://{SITE_DOMAIN}"],
        "function_name": "ai-success-insights-prod-api",
        "database_name": COMPUTED_OUTPUTS[NEON]["databaseName"],
        "neon_project_id": "database-project-id",
        "database_url": "[secret]",
        "direct_database_url": "[secret]",
    }
    assert not shown["api_url"].endswith("/")


def test_the_sites_origin_is_known_at_preview_and_the_databases_urls_are_not(preview: Recording):
    assert preview.outputs["frontend_url"] == f"https://{SITE_DOMAIN}"
    assert preview.outputs["cors_origins"] == [f"https://{SITE_DOMAIN}"]
    assert values.reveal(preview.outputs["database_url"]) is values.UNKNOWN


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda component: component.__name__)
def test_a_component_registers_the_outputs_that_it_declares_and_no_others(
    prod: Recording, component: type[pulumi.ComponentResource]
):
    declared = {
        name for name, kind in inspect.get_annotations(component).items() if _holds_outputs(kind)
    }
    found = [
        resource.name
        for resource in prod.resources.values()
        if resource.type.endswith(f":{component.__name__}") and not resource.custom
    ]
    assert declared
    assert found
    for name in found:
        assert prod.component_outputs[name].keys() == declared


def _holds_outputs(kind: Any) -> bool:
    origin = typing.get_origin(kind)
    return origin is pulumi.Output or (
        origin is Mapping and _holds_outputs(typing.get_args(kind)[1])
    )
