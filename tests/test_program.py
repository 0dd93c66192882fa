"""The program as it registers: what there is, in which order, what is secret, and what is left out."""

import hashlib
import inspect
import json
import typing
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import pulumi
import pytest

from components import database, function, gateway, release, service, site
from config.naming import Names
from stack.local.iam.policy import policy_failures, trust_failures
from stack.local.resources import values
from stack.local.resources.values import Secret
from tests.support.program import (
    BUNDLE_VERSION,
    MADE_UP,
    PASSWORD,
    ROOT,
    SITE_DOMAIN,
    Recording,
    Resource,
    evaluate,
    make_project,
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
  service-permission           aws:lambda/permission:Permission
  service-stage                aws:apigatewayv2/stage:Stage
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
    release.Release,
]

API_URL = MADE_UP["aws:apigatewayv2/api:Api"]["apiEndpoint"]
NEON = "neon:index/project:Project"
ESCAPED_PASSWORD = quote(PASSWORD, safe="")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("program"))


@cache
def _evaluated(
    project: Path, stack: str, preview: bool, config: tuple[tuple[str, str], ...]
) -> Recording:
    return evaluate(
        project,
        stack=stack,
        preview=preview,
        config=dict(config),
        secrets={"openaiApiKey": "sk-secret"},
    )


def recorded(
    project: Path, stack: str = "prod", *, preview: bool = False, **config: str
) -> Recording:
    """One evaluation for all tests that look at the same thing; `aws_region` stands for `aws:region`."""
    return _evaluated(
        project,
        stack,
        preview,
        tuple((key.replace("_", ":"), value) for key, value in config.items()),
    )


@pytest.fixture
def prod(project: Path) -> Recording:
    return recorded(project)


@pytest.fixture
def dev(project: Path) -> Recording:
    return recorded(project, "dev")


@pytest.fixture
def preview(project: Path) -> Recording:
    return recorded(project, preview=True)


def variables(recording: Recording, name: str) -> dict[str, str]:
    return recording[name].plain["environment"]["variables"]


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


# what there is


def test_the_program_registers_exactly_these_resources(prod: Recording):
    assert "\n".join(tree(prod, "ai-success-insights-prod")) == GOLDEN.strip("\n")
    assert len(prod.resources) == len(GOLDEN.strip().splitlines()), (
        "each belongs to a component of the picture"
    )


def test_a_preview_registers_the_same_names_although_no_id_and_no_computed_output_is_known(
    prod: Recording, preview: Recording
):
    assert preview.names == prod.names
    assert values.holds(dict(preview["service-integration"].inputs), values.Unknown), (
        "the preview does know what it must not"
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


# outputs


def test_the_stacks_outputs_are_these_and_settled_as_promised(prod: Recording):
    shown = {name: values.redact(value) for name, value in prod.outputs.items()}
    assert shown == {
        "api_url": API_URL,
        "frontend_url": f"https://{SITE_DOMAIN}",
        "cors_origins": [f"https://{SITE_DOMAIN}"],
        "function_name": "ai-success-insights-prod-api",
        "database_name": MADE_UP[NEON]["databaseName"],
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


# secrets


def test_no_secret_is_sent_in_the_clear_anywhere(prod: Recording):
    shown, revealed = prod.text(values.redact), prod.text(values.reveal)
    for secret in (PASSWORD, ESCAPED_PASSWORD, "sk-secret"):
        assert secret not in shown
    assert ESCAPED_PASSWORD in revealed, (
        "where it is sent as a secret it can be seen, so it would be seen in the clear too"
    )
    assert "sk-secret" in revealed


@pytest.mark.parametrize("name", ["service-api-function", "service-migrate-function"])
def test_a_functions_environment_is_one_secret_as_a_whole(prod: Recording, name: str):
    assert isinstance(prod[name].inputs["environment"]["variables"], Secret)
    assert not isinstance(prod[name].inputs["name"], Secret)
    assert not isinstance(prod[name].inputs["timeout"], Secret)


def test_the_databases_urls_are_secret_and_what_anyone_may_see_is_not(prod: Recording):
    secret = {name for name, value in prod.outputs.items() if values.holds(value, Secret)}
    assert secret == {"database_url", "direct_database_url"}
    urls = {
        name
        for name, value in prod.component_outputs["database"].items()
        if values.holds(value, Secret)
    }
    assert urls == {"pooled_url", "direct_url"}
    for name in ("gateway", "site", "service", "release", "service-api", "service-migrate"):
        assert not values.holds(dict(prod.component_outputs[name]), Secret), name


def test_the_databases_urls_stay_secret_in_a_provider_that_marks_nothing(project: Path):
    made_up = {
        **MADE_UP,
        NEON: {key: value for key, value in MADE_UP[NEON].items() if key != "databasePassword"},
    }
    made_up[NEON]["databasePassword"] = "plain"

    class Unmarked(Recording):
        def register(self, registration: Any) -> tuple[str, Mapping[str, Any]]:
            identity, outputs = super().register(registration)
            return identity, values.reveal(outputs)

    recording = evaluate(project, into=Unmarked(preview=False, made_up=made_up))
    assert isinstance(recording.outputs["database_url"], Secret)
    assert isinstance(recording["service-api-function"].inputs["environment"]["variables"], Secret)


# the database


@pytest.mark.parametrize(
    ("output", "host"),
    [("database_url", "databaseHostPooler"), ("direct_database_url", "databaseHost")],
    ids=["pooled", "direct"],
)
def test_a_database_url_is_built_of_escaped_parts(prod: Recording, output: str, host: str):
    url = urlsplit(values.reveal(prod.outputs[output]))
    assert url.scheme == "postgresql"
    assert url.hostname == MADE_UP[NEON][host]
    assert unquote(url.password or "") == PASSWORD
    assert unquote(url.username or "") == MADE_UP[NEON]["databaseUser"]
    assert url.path == f"/{MADE_UP[NEON]['databaseName']}"
    assert parse_qsl(url.query) == [("sslmode", "require")]


def test_the_neon_project_is_sent_with_its_history_and_its_own_branch_role_and_database(
    prod: Recording,
):
    assert prod["database-project"].plain == {
        "name": "ai-success-insights-prod",
        "regionId": "aws-us-east-1",
        "pgVersion": 17,
        "historyRetentionSeconds": 21600,
        "storePassword": "yes",
        "branch": {
            "name": "main",
            "roleName": "ai_success_insights_prod",
            "databaseName": "ai_success_insights_prod",
        },
        "defaultEndpointSettings": {
            "autoscalingLimitMinCu": 0.25,
            "autoscalingLimitMaxCu": 0.25,
            "suspendTimeoutSeconds": 0,
        },
    }


def test_a_verified_connection_names_the_certificates_that_lambda_has(project: Path):
    for output in ("database_url", "direct_database_url"):
        query = urlsplit(
            values.reveal(recorded(project, sslMode="verify-full").outputs[output])
        ).query
        assert dict(parse_qsl(query)) == {
            "sslmode": "verify-full",
            "sslrootcert": "/etc/pki/tls/certs/ca-bundle.crt",
        }


# data flow: origin → CORS, API → pages


def test_the_function_gets_these_variables_and_no_empty_ones(prod: Recording):
    sent = variables(prod, "service-api-function")
    assert sent == {
        "DATABASE_URL": values.reveal(prod.outputs["database_url"]),
        "CORS_ORIGINS": f"https://{SITE_DOMAIN}",
        "STAGE": "prod",
        "SERVICE_VERSION": BUNDLE_VERSION,
        "OPENAI_MODEL": "gpt-5-mini",
        "OPENAI_API_KEY": "sk-secret",
    }


def test_the_pooled_url_is_the_services_and_the_direct_one_the_migrations_alone(prod: Recording):
    assert variables(prod, "service-migrate-function") == {
        "DATABASE_URL": values.reveal(prod.outputs["direct_database_url"])
    }
    pooled, direct = MADE_UP[NEON]["databaseHostPooler"], MADE_UP[NEON]["databaseHost"]
    assert pooled not in json.dumps(variables(prod, "service-migrate-function"))
    assert direct not in json.dumps(variables(prod, "service-api-function"))


def test_the_origin_that_may_call_is_that_of_the_domain_resource_and_extra_ones_follow(
    project: Path,
):
    recording = recorded(
        project,
        siteDomain="other.example.com",
        extraOrigins='["https://a.example.com", "https://b.example.com:8443"]',
    )
    expected = ["https://other.example.com", "https://a.example.com", "https://b.example.com:8443"]
    assert variables(recording, "service-api-function")["CORS_ORIGINS"] == ",".join(expected)
    assert recording.outputs["cors_origins"] == expected
    assert recording.outputs["frontend_url"] == expected[0]


def test_the_origin_comes_from_what_vercel_answers_not_from_the_configuration(project: Path):
    made_up = {
        **MADE_UP,
        "vercel:index/projectDomain:ProjectDomain": {"domain": "claimed.example.com"},
    }
    recording = evaluate(project, made_up=made_up)
    assert recording["site-domain"].inputs["domain"] == SITE_DOMAIN
    assert (
        variables(recording, "service-api-function")["CORS_ORIGINS"]
        == "https://claimed.example.com"
    )
    assert recording.outputs["frontend_url"] == "https://claimed.example.com"


def test_the_address_of_the_api_is_what_pages_are_built_with_in_production_and_previews(
    project: Path,
):
    made_up = {
        **MADE_UP,
        "aws:apigatewayv2/api:Api": {
            "apiEndpoint": "https://api.example.com",
            "executionArn": "arn:aws:x",
        },
    }
    recording = evaluate(project, made_up=made_up)
    variable = recording["site-api-url"]
    assert variable.plain == {
        "projectId": "site-project-id",
        "key": "NEXT_PUBLIC_API_URL",
        "value": "https://api.example.com",
        "targets": ["production", "preview"],
        "sensitive": False,
    }
    assert recording.outputs["api_url"] == "https://api.example.com"
    assert variable.delete_before_replace, "Vercel refuses a second variable of one key"


def test_nothing_else_is_deleted_before_its_successor_stands(prod: Recording):
    assert [
        name for name, resource in prod.resources.items() if resource.delete_before_replace
    ] == ["site-api-url"]


# order


def depends_on(recording: Recording, later: str, earlier: str) -> bool:
    """Whether `later` waits for `earlier`: by the dependencies that are sent, its own, its parents' and those of what it depends on."""
    resource = recording[later]
    direct = set(resource.dependencies) | ({resource.parent} & recording.resources.keys())
    return earlier in direct or any(depends_on(recording, name, earlier) for name in direct)


ORDER = [
    "database-project",
    "service-migrate-function",
    "service-migration",
    "service-api-function",
    "service-live",
    "service-integration",
    "service-default-route",
    "service-stage",
    "release-deployment",
]


@pytest.mark.parametrize(("earlier", "later"), list(pairwise(ORDER)))
def test_the_order_is_database_migration_version_alias_integration_route_stage_release(
    prod: Recording, earlier: str, later: str
):
    assert depends_on(prod, later, earlier)
    assert not depends_on(prod, earlier, later)


def test_each_step_is_made_after_the_one_before(prod: Recording):
    assert [name for name in prod.answered if name in ORDER] == ORDER


def test_gateway_and_site_wait_for_no_function(prod: Recording):
    for name in ("gateway-api", "site-project", "site-domain", "site-api-url"):
        assert not depends_on(prod, name, "service-api-function")
        assert not depends_on(prod, name, "database-project")


def test_the_release_waits_for_the_whole_service(prod: Recording):
    assert prod["release"].dependencies >= {
        name for name in prod.resources if name.startswith("service-") and prod[name].custom
    }


def test_the_stage_waits_for_permission_and_route_and_the_function_for_its_policy(prod: Recording):
    assert prod["service-stage"].dependencies >= {
        "service-permission",
        "service-default-route",
        "gateway-access-log",
    }
    assert "service-api-policy" in prod["service-api-function"].dependencies
    assert "service-migrate-policy" in prod["service-migrate-function"].dependencies


@pytest.mark.parametrize(
    ("fails", "never"),
    [
        ("database-project", "service-migrate-function"),
        ("service-migrate-policy", "service-migrate-function"),
        ("service-migration", "service-api-function"),
        ("service-api-function", "service-live"),
        ("service-permission", "service-stage"),
        ("service-stage", "release-deployment"),
    ],
)
def test_a_step_that_fails_stops_those_after_it(project: Path, fails: str, never: str):
    recording = Recording(preview=False, made_up=MADE_UP, fails={fails})
    with pytest.raises(RuntimeError, match=f"{fails} failed"):
        evaluate(project, into=recording)
    assert fails in recording.resources
    assert never not in recording.resources
    assert "release-deployment" not in recording.resources


# the migration


def test_the_migration_is_called_on_the_unqualified_function_with_nothing_secret_in_its_input(
    prod: Recording,
):
    call = prod["service-migration"]
    assert call.inputs["functionName"] == "ai-success-insights-prod-migrate"
    assert call.inputs["input"] == "{}"
    assert not {"qualifier", "lifecycleScope"} & call.inputs.keys(), (
        "no alias to it, and made only (the default)"
    )
    assert not values.holds(dict(call.inputs), Secret)
    assert "service-migrate-function" in call.dependencies


def test_the_migration_is_called_again_for_other_migrations_and_for_another_database_only(
    project: Path, tmp_path: Path
):
    def triggers(root: Path, **made_up: str) -> dict[str, str]:
        changed = {**MADE_UP, NEON: {**MADE_UP[NEON], **made_up}}
        return evaluate(root, made_up=changed)["service-migration"].plain["triggers"]

    before = triggers(project)
    assert before.keys() == {"migrations", "project", "branch", "database"}
    assert before == triggers(
        project, databasePassword="another", databaseHost="another.example.com"
    )
    assert {**before, "branch": "br-2"} == triggers(project, defaultBranchId="br-2")
    assert {**before, "database": "other"} == triggers(project, databaseName="other")

    other = make_project(tmp_path)
    (other / "frontend/package.json").write_text('{"changed": true}\n')
    assert triggers(other) == before
    (other / "service/migrations/versions/0002.py").write_text("revision = '0002'\n")
    assert triggers(other)["migrations"] != before["migrations"]


def test_the_migration_function_has_the_longest_timeout_its_own_role_and_group_and_no_version(
    prod: Recording,
):
    migrate, api = prod["service-migrate-function"].plain, prod["service-api-function"].plain
    assert (migrate["handler"], migrate["timeout"], migrate["publish"]) == (
        "service.migrate.handler",
        900,
        False,
    )
    assert (api["handler"], api["timeout"], api["publish"]) == ("service.handler.handler", 29, True)
    assert migrate["role"] != api["role"]
    assert migrate["loggingConfig"]["logGroup"] != api["loggingConfig"]["logGroup"]
    assert migrate["code"] == api["code"]
    assert migrate["layers"] == api["layers"]


# the function and its API


def test_the_function_is_sent_as_configured(project: Path):
    sent = recorded(
        project,
        memory="1024",
        timeout="20",
        architecture="x86_64",
        python="3.14",
        reservedConcurrency="5",
    )
    function_, layer = sent["service-api-function"].plain, sent["service-layer"].plain
    assert (
        function_["memorySize"],
        function_["timeout"],
        function_["reservedConcurrentExecutions"],
    ) == (1024, 20, 5)
    assert (function_["architectures"], function_["runtime"]) == (["x86_64"], "python3.14")
    assert (layer["compatibleArchitectures"], layer["compatibleRuntimes"]) == (
        ["x86_64"],
        ["python3.14"],
    )
    assert sent["service-migrate-function"].plain["reservedConcurrentExecutions"] == -1, (
        "the migration is never crowded out of its own"
    )


def test_no_concurrency_is_reserved_by_default(prod: Recording):
    assert prod["service-api-function"].inputs["reservedConcurrentExecutions"] == -1


def test_code_and_layer_are_zips_at_paths_relative_to_the_program(prod: Recording):
    for name in ("service-api-function", "service-migrate-function", "service-layer"):
        archive = prod[name].inputs["code"]
        assert isinstance(archive, values.Archive)
        assert archive.path.endswith(".zip")
        assert not Path(archive.path).is_absolute()


def test_the_api_has_no_cors_configuration(prod: Recording):
    assert prod["gateway-api"].plain == {"name": "ai-success-insights-prod", "protocolType": "HTTP"}


def test_one_default_route_serves_all_through_the_alias(prod: Recording):
    assert prod["service-default-route"].plain == {
        "apiId": "gateway-api-id",
        "routeKey": "$default",
        "authorizationType": "NONE",
        "target": "integrations/service-integration-id",
    }
    assert prod["service-integration"].plain == {
        "apiId": "gateway-api-id",
        "integrationType": "AWS_PROXY",
        "integrationUri": "arn:aws:apigateway:us-east-1:lambda:path/functions/ai-success-insights-prod-api:live/invocations",
        "payloadFormatVersion": "2.0",
        "timeoutMilliseconds": 30000,
    }
    assert prod["service-live"].plain == {
        "name": "live",
        "functionName": "ai-success-insights-prod-api",
        "functionVersion": "7",
    }


def test_the_timeouts_are_ordered_service_function_gateway(project: Path):
    sent = recorded(project, timeout="29")
    assert (
        sent["service-api-function"].plain["timeout"] * 1000
        < sent["service-integration"].plain["timeoutMilliseconds"]
        <= 30_000
    )


def test_only_this_api_may_call_the_alias(prod: Recording):
    assert prod["service-permission"].plain == {
        "action": "lambda:InvokeFunction",
        "principal": "apigateway.amazonaws.com",
        "function": "ai-success-insights-prod-api",
        "qualifier": "live",
        "sourceArn": f"{MADE_UP['aws:apigatewayv2/api:Api']['executionArn']}/*/*",
    }, "no statement id: every change replaces, and a fixed id would collide"


def test_the_stage_throttles_with_both_figures_and_logs_each_request_as_json(prod: Recording):
    stage = prod["service-stage"].plain
    assert stage["defaultRouteSettings"] == {"throttlingRateLimit": 50, "throttlingBurstLimit": 100}
    assert (stage["name"], stage["autoDeploy"]) == ("$default", True)
    assert stage["accessLogSettings"]["destinationArn"].endswith(
        ":log-group:/aws/vendedlogs/ai-success-insights-prod-access"
    )
    fields = json.loads(stage["accessLogSettings"]["format"])
    assert all(value.startswith("$context.") for value in fields.values())
    assert "$context.integrationErrorMessage" in fields.values(), (
        "the only place that says why a 500 was one"
    )
    assert len(stage["accessLogSettings"]["format"]) <= 3072, "HTTP API quota, access-log template"
    assert "routeSettings" not in stage


# least privilege, retention, tags, protection


@pytest.mark.parametrize("function_", ["service-api", "service-migrate"])
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


def test_every_policy_is_within_least_privilege_and_every_role_is_lambdas_alone(prod: Recording):
    policies, roles = prod.of(":RolePolicy"), prod.of(":Role")
    assert (len(policies), len(roles)) == (2, 2)
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
    }


def test_every_resource_of_aws_goes_through_the_one_explicit_provider(prod: Recording):
    on_aws = [resource for resource in prod.resources.values() if resource.type.startswith("aws:")]
    assert len(on_aws) == 17
    assert {resource.provider for resource in on_aws} == {"aws"}
    assert prod["aws"].plain["region"] == "us-east-1"
    assert json.loads(prod["aws"].plain["defaultTags"]) == {
        "tags": {"project": "ai-success-insights", "stack": "prod", "managed-by": "pulumi"}
    }


def test_the_provider_keeps_to_the_allowed_accounts_where_some_are_named(
    project: Path, prod: Recording
):
    assert "allowedAccountIds" not in prod["aws"].inputs
    assert json.loads(
        recorded(project, allowedAccountIds='["123456789012"]')["aws"].plain["allowedAccountIds"]
    ) == ["123456789012"]


def test_production_protects_what_holds_data_or_a_name_that_others_know_and_nothing_else(
    prod: Recording, dev: Recording
):
    protected = {name for name, resource in prod.resources.items() if resource.protect}
    assert protected == {"database-project", "gateway-api", "site-project", "site-domain"}
    assert not [name for name, resource in dev.resources.items() if resource.protect]


def test_a_region_other_than_the_default_is_in_the_name_of_every_resource_of_aws(project: Path):
    recording = recorded(project, aws_region="eu-central-1")
    assert recording["aws"].plain["region"] == "eu-central-1"
    named = {
        resource.name: name
        for resource in recording.resources.values()
        if (name := _physical_name(resource))
    }
    assert len(named) == 10
    assert all("eu-central-1" in name for name in named.values()), named


def _physical_name(resource: Resource) -> str | None:
    if not resource.type.startswith("aws:") or resource.inputs.get("name") in ("live", "$default"):
        return None
    return (
        resource.inputs.get("name")
        or resource.inputs.get("layerName")
        or resource.inputs.get("functionName")
    )


def test_physical_names_are_those_of_the_naming_module(prod: Recording):
    names = Names(project="ai-success-insights", stack="prod", region="us-east-1")
    assert prod["site-project"].plain == {"name": names.vercel_project}, (
        "and neither framework nor regions, which would ask Vercel in previews"
    )
    assert prod["gateway-api"].inputs["name"] == names.api
    assert prod["service-layer"].inputs["layerName"] == names.layer
    assert prod["service-api-role"].inputs["name"] == names.function_role
    assert prod["service-migrate-role"].inputs["name"] == names.migration_role
    assert prod["gateway-access-log"].inputs["name"] == names.access_log_group


# the release


def test_the_deployment_is_of_files_at_paths_relative_to_the_program(prod: Recording):
    deployment = prod["release-deployment"].plain
    assert deployment["files"].keys() == {"frontend/app/page.tsx", "frontend/package.json"}
    assert (
        deployment["files"]["frontend/package.json"]
        == f"3~{hashlib.sha1(b'{}' + bytes([10])).hexdigest()}"
    )
    assert (deployment["pathPrefix"], deployment["production"], deployment["projectId"]) == (
        "frontend",
        True,
        "site-project-id",
    )
    assert not {"projectSettings", "environment", "deleteOnDestroy"} & deployment.keys()
    assert prod["release-deployment"].create_timeout == "15m", "the provider polls without an end"


def test_the_deployment_is_replaced_when_files_or_variables_change_and_not_otherwise(
    project: Path, tmp_path: Path
):
    def deployed(root: Path, endpoint: str = API_URL, **config: str) -> dict[str, Any]:
        api = {**MADE_UP["aws:apigatewayv2/api:Api"], "apiEndpoint": endpoint}
        return evaluate(root, made_up={**MADE_UP, "aws:apigatewayv2/api:Api": api}, config=config)[
            "release-deployment"
        ].plain

    before = deployed(project)
    other = make_project(tmp_path)
    assert deployed(other, memory="1024") == before, (
        "another checkout, another function, the same deployment"
    )
    assert deployed(other, "https://other.example.com")["meta"] != before["meta"]
    (other / "frontend/package.json").write_text('{"changed": true}\n')
    changed = deployed(other)
    assert changed["files"] != before["files"]
    assert {**changed, "files": before["files"]} == before


def test_the_real_dashboard_is_deployed_by_relative_paths_too():
    if not (ROOT / "frontend").is_dir():
        pytest.skip("frontend/ is not there")
    files = release.site_files(ROOT / "frontend", ROOT)
    assert "frontend/package.json" in files
    assert all(path.startswith("frontend/") and ".." not in path for path in files)
