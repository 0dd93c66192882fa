"""Which values flow where: database to function, API to pages, site to CORS, files to release."""

import hashlib
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from components import release
from stack.local.resources import values
from tests.support.configuration import ROOT, SITE_DOMAIN
from tests.support.program import (
    BUNDLE_VERSION,
    COMPUTED_OUTPUTS,
    PASSWORD,
    Recording,
    evaluate,
    make_project,
    recorded,
    variables,
)

API_URL = COMPUTED_OUTPUTS["aws:apigatewayv2/api:Api"]["apiEndpoint"]
NEON = "neon:index/project:Project"


@pytest.mark.parametrize(
    ("output", "host"),
    [("database_url", "databaseHostPooler"), ("direct_database_url", "databaseHost")],
    ids=["pooled", "direct"],
)
def test_a_database_url_consists_of_percent_encoded_parts(prod: Recording, output: str, host: str):
    url = urlsplit(values.reveal(prod.outputs[output]))
    assert url.scheme == "postgresql"
    assert url.hostname == COMPUTED_OUTPUTS[NEON][host]
    assert unquote(url.password or "") == PASSWORD
    assert unquote(url.username or "") == COMPUTED_OUTPUTS[NEON]["databaseUser"]
    assert url.path == f"/{COMPUTED_OUTPUTS[NEON]['databaseName']}"
    assert parse_qsl(url.query) == [("sslmode", "require")]


def test_the_neon_project_has_its_history_a_branch_a_role_and_a_database(
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


def test_a_verified_connection_uses_the_certificates_on_lambda(project: Path):
    for output in ("database_url", "direct_database_url"):
        query = urlsplit(
            values.reveal(recorded(project, sslMode="verify-full").outputs[output])
        ).query
        assert dict(parse_qsl(query)) == {
            "sslmode": "verify-full",
            "sslrootcert": "/etc/pki/tls/certs/ca-bundle.crt",
        }


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


def test_the_service_has_the_pooled_url_and_migration_and_upkeep_have_the_direct_one(
    prod: Recording,
):
    assert variables(prod, "service-migrate-function") == {
        "DATABASE_URL": values.reveal(prod.outputs["direct_database_url"])
    }
    assert variables(prod, "service-upkeep-function") == variables(prod, "service-migrate-function")
    pooled, direct = (
        COMPUTED_OUTPUTS[NEON]["databaseHostPooler"],
        COMPUTED_OUTPUTS[NEON]["databaseHost"],
    )
    assert pooled not in json.dumps(variables(prod, "service-migrate-function"))
    assert direct not in json.dumps(variables(prod, "service-api-function"))


def test_the_allowed_origins_are_that_of_the_domain_resource_and_the_extra_ones(
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


def test_the_origin_follows_from_vercels_output_and_not_from_the_configuration(project: Path):
    computed_outputs = {
        **COMPUTED_OUTPUTS,
        "vercel:index/projectDomain:ProjectDomain": {"domain": "claimed.example.com"},
    }
    recording = evaluate(project, computed_outputs=computed_outputs)
    assert recording["site-domain"].inputs["domain"] == SITE_DOMAIN
    assert (
        variables(recording, "service-api-function")["CORS_ORIGINS"]
        == "https://claimed.example.com"
    )
    assert recording.outputs["frontend_url"] == "https://claimed.example.com"


def test_pages_are_built_with_the_url_of_the_api_in_production_and_previews(
    project: Path,
):
    computed_outputs = {
        **COMPUTED_OUTPUTS,
        "aws:apigatewayv2/api:Api": {
            "apiEndpoint": "https://api.example.com",
            "executionArn": "arn:aws:x",
        },
    }
    recording = evaluate(project, computed_outputs=computed_outputs)
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


def test_no_other_resource_is_deleted_before_it_is_replaced(prod: Recording):
    assert [
        name for name, resource in prod.resources.items() if resource.delete_before_replace
    ] == ["site-api-url"]


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
        api = {**COMPUTED_OUTPUTS["aws:apigatewayv2/api:Api"], "apiEndpoint": endpoint}
        return evaluate(
            root,
            computed_outputs={**COMPUTED_OUTPUTS, "aws:apigatewayv2/api:Api": api},
            config=config,
        )["release-deployment"].plain

    before = deployed(project)
    other = make_project(tmp_path)
    assert deployed(other, memory="1024") == before, (
        "another checkout with another function has the same deployment"
    )
    assert deployed(other, "https://other.example.com")["meta"] != before["meta"]
    (other / "frontend/package.json").write_text('{"changed": true}\n')
    changed = deployed(other)
    assert changed["files"] != before["files"]
    assert {**changed, "files": before["files"]} == before


def test_the_files_of_the_real_dashboard_have_relative_paths():
    if not (ROOT / "frontend").is_dir():
        pytest.skip("frontend/ is not there")
    files = release.site_files(ROOT / "frontend", ROOT)
    assert "frontend/package.json" in files
    assert all(path.startswith("frontend/") and ".." not in path for path in files)
