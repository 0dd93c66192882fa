"""The names that providers are sent: the bridge drops one that it does not know without a word, so each is compared with its schema."""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi_neon as neon
import pytest

from local import sdk
from local.bindings import schemas
from local.values import Secret
from tests.program import ROOT, Recording, evaluate, evaluate_source, make_project

SCHEMAS = schemas.SCHEMAS
PROJECT = "neon:index/project:Project"
SCHEMA = SCHEMAS["resources"][PROJECT]
PLUGIN = json.loads((ROOT / "sdks/neon/pulumi_neon/pulumi-plugin.json").read_text())

EVERYTHING = """
import pulumi
import pulumi_neon as neon

project = neon.Project(
    "project",
    pulumi.ResourceOptions(protect=True),
    name="n",
    region_id="aws-us-east-1",
    pg_version=17,
    history_retention_seconds=21600,
    org_id="org-1",
    store_password="yes",
    branch=BRANCH,
    default_endpoint_settings=SETTINGS,
)
for name in OUTPUTS:
    pulumi.export(name, getattr(project, name))
pulumi.export("id", project.id)
"""
DICTS = {
    "BRANCH": '{"name": "main", "role_name": pulumi.Output.from_input("owner"), "database_name": "db"}',
    "SETTINGS": '{"autoscaling_limit_min_cu": 0.25, "autoscaling_limit_max_cu": 2, "suspend_timeout_seconds": 60}',
}
CLASSES = {
    "BRANCH": 'neon.ProjectBranchArgs(name="main", role_name=pulumi.Output.from_input("owner"), database_name="db")',
    "SETTINGS": "neon.ProjectDefaultEndpointSettingsArgs("
    "autoscaling_limit_min_cu=0.25, autoscaling_limit_max_cu=2, suspend_timeout_seconds=60)",
}
ATTRIBUTES = sorted(name for name in neon.Project.__annotations__ if name != "pulumi_type")
MADE_UP = {name: f"made up {name}" for name, kind in SCHEMA["outputs"].items() if kind == "string"}


def sent(directory: Path, written: Mapping[str, str]) -> Recording:
    source = EVERYTHING.replace("OUTPUTS", repr(ATTRIBUTES))
    for name, text in written.items():
        source = source.replace(name, text)
    return evaluate_source(directory, source, made_up={PROJECT: MADE_UP})


@pytest.fixture(params=[DICTS, CLASSES], ids=["dicts", "classes"])
def recording(request: pytest.FixtureRequest, tmp_path: Path) -> Recording:
    return sent(tmp_path, request.param)


def test_every_argument_is_sent_under_the_providers_name_and_none_is_dropped(recording: Recording):
    assert recording["project"].type == PROJECT
    assert recording["project"].inputs == {
        "name": "n",
        "regionId": "aws-us-east-1",
        "pgVersion": 17,
        "historyRetentionSeconds": 21600,
        "orgId": "org-1",
        "storePassword": "yes",
        "branch": {"name": "main", "roleName": "owner", "databaseName": "db"},
        "defaultEndpointSettings": {"autoscalingLimitMinCu": 0.25, "autoscalingLimitMaxCu": 2, "suspendTimeoutSeconds": 60},
    }


def test_every_name_that_is_sent_is_in_the_providers_schema_nested_ones_too(recording: Recording):
    unknown = [path for path, kind in leaves(recording["project"].inputs, SCHEMA["inputs"]) if kind is None]
    assert unknown == []
    for block, kind in (
        ("branch", "ProjectBranch:ProjectBranch"),
        ("defaultEndpointSettings", "ProjectDefaultEndpointSettings:ProjectDefaultEndpointSettings"),
    ):
        assert recording["project"].inputs[block].keys() == SCHEMAS["types"][kind].keys()


def test_every_value_that_is_sent_is_of_the_schemas_type(recording: Recording):
    kinds = {"string": str, "number": (int, float)}
    for path, kind in leaves(recording["project"].inputs, SCHEMA["inputs"]):
        value: Any = recording["project"].inputs
        for part in path.split("."):
            value = value[part]
        assert isinstance(value, kinds[kind]), path


def leaves(inputs: Mapping[str, Any], kinds: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Paths of all plain values with the schema's type of each, None where it knows no such name."""
    found: list[tuple[str, Any]] = []
    for name, value in inputs.items():
        kind = kinds.get(name)
        if isinstance(value, Mapping) and isinstance(kind, str) and kind in SCHEMAS["types"]:
            found += leaves(value, SCHEMAS["types"][kind], f"{prefix}{name}.")
        else:
            found.append((prefix + name, kind))
    return found


def test_the_signature_has_no_input_or_output_that_the_schema_lacks():
    assert sdk.input_types(neon.Project).keys() - SCHEMA["inputs"].keys() == set()
    assert sdk.output_names(neon.Project) - SCHEMA["outputs"].keys() == set()
    assert sdk.output_names(neon.Project) - sdk.input_types(neon.Project).keys() == SCHEMA["outputs"].keys() - SCHEMA["inputs"].keys()


def test_every_declared_output_is_read_from_what_the_provider_answers(recording: Recording):
    for attribute in ATTRIBUTES:
        value = recording.outputs[attribute]
        value = value.value if isinstance(value, Secret) else value
        wire = attribute.split("_")[0] + "".join(part.title() for part in attribute.split("_")[1:])
        if wire in MADE_UP:
            assert value == MADE_UP[wire], attribute
        else:
            assert value is not None, attribute
    assert recording.outputs["id"] == "project-id"


def test_what_the_schema_marks_as_secret_is_secret_and_nothing_else(recording: Recording):
    assert recording["project"].secret_outputs == set(SCHEMA["secret"])
    secret = {name for name, value in recording.outputs.items() if isinstance(value, Secret)}
    assert secret == {"connection_uri", "connection_uri_pooler", "database_password"}


def test_the_callers_options_hold(recording: Recording):
    assert recording["project"].protect


def test_what_is_left_out_is_not_sent(tmp_path: Path):
    recording = evaluate_source(tmp_path, 'import pulumi_neon as neon\nneon.Project("project", name="n", branch={"name": "main"})\n')
    assert recording["project"].inputs == {"name": "n", "branch": {"name": "main"}}


def test_an_argument_that_the_class_lacks_is_refused(tmp_path: Path):
    with pytest.raises(TypeError, match="regionId"):
        evaluate_source(tmp_path, 'import pulumi_neon as neon\nneon.Project("project", regionId="aws-us-east-1")\n')


def test_the_package_that_is_registered_is_the_one_that_the_plugin_file_names(recording: Recording):
    parameter = PLUGIN["parameterization"]
    value = base64.b64decode(parameter["value"])
    assert recording.packages == [
        {
            "name": PLUGIN["name"],
            "version": PLUGIN["version"],
            "parameterization": {"name": parameter["name"], "version": parameter["version"], "value": value},
        }
    ]
    assert recording["project"].package, "without the reference the engine looks for a plugin named neon"


def test_the_plugin_is_the_terraform_bridge_parameterised_with_the_pinned_provider():
    assert (PLUGIN["resource"], PLUGIN["name"]) == (True, "terraform-provider")
    remote = json.loads(base64.b64decode(PLUGIN["parameterization"]["value"]))["remote"]
    assert remote["url"].endswith("/kislerdm/neon")
    assert remote["url"].count("/") == 2, "the CLI needs the host too"
    assert remote["version"] == PLUGIN["parameterization"]["version"] == "0.15.0"
    assert "kislerdm/neon 0.15.0" in SCHEMAS["about"], "the schemas are those of this version"
    assert 'version = "0.15.0"' in (ROOT / "sdks/neon/pyproject.toml").read_text()


def test_two_projects_register_one_package(tmp_path: Path):
    source = 'import pulumi_neon as neon\nfor name in ("a", "b"):\n    neon.Project(name, name=name)\n'
    recording = evaluate_source(tmp_path, source)
    assert len(recording.resources) == 2
    assert len(recording.packages) == 1


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    return evaluate(make_project(tmp_path_factory.mktemp("program")))


@pytest.mark.parametrize("token", SCHEMAS["resources"])
def test_what_the_program_sends_to_neon_and_vercel_is_known_to_the_schema_and_complete(program: Recording, token: str):
    schema = SCHEMAS["resources"][token]
    found = [resource for resource in program.resources.values() if resource.type == token]
    assert found, "the schema of a resource that the program does not have"
    for resource in found:
        assert not [path for path, kind in leaves(resource.inputs, schema["inputs"]) if kind is None]
        assert resource.inputs.keys() >= set(schema["required"])


def test_no_resource_of_neon_or_vercel_goes_without_a_schema(program: Recording):
    bridged = {resource.type for resource in program.resources.values() if resource.type.startswith(("neon:", "vercel:"))}
    assert bridged == SCHEMAS["resources"].keys()


def test_neon_and_vercel_take_their_tokens_from_the_environment_as_default_providers(program: Recording):
    for resource in program.resources.values():
        if resource.type.startswith(("neon:", "vercel:")):
            assert resource.provider == "", resource.name
