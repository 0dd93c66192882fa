"""The names that are sent to providers.

The bridge ignores unknown names silently, so the tests compare each name with its schema.
"""

import base64
import importlib.metadata
import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
import pulumi_neon as neon
import pytest

from stack.local.registry import HANDLERS
from stack.local.resources import schemas, sdk
from stack.local.resources.values import UNKNOWN, Secret
from tests.support.configuration import ROOT
from tests.support.program import Recording, Resource, evaluate, evaluate_source, make_project

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
    default_branch_protected=True,
)
for name in OUTPUTS:
    pulumi.export(name, getattr(project, name))
pulumi.export("id", project.id)
"""
DICTS = {
    "BRANCH": '{"name": "main", "role_name": pulumi.Output.from_input("owner"), '
    '"database_name": "db"}',
    "SETTINGS": '{"autoscaling_limit_min_cu": 0.25, "autoscaling_limit_max_cu": 2, '
    '"suspend_timeout_seconds": 60}',
}
CLASSES = {
    "BRANCH": "neon.ProjectBranchArgs("
    'name="main", role_name=pulumi.Output.from_input("owner"), database_name="db")',
    "SETTINGS": "neon.ProjectDefaultEndpointSettingsArgs("
    "autoscaling_limit_min_cu=0.25, autoscaling_limit_max_cu=2, suspend_timeout_seconds=60)",
}
ATTRIBUTES = sorted(name for name in neon.Project.__annotations__ if name != "pulumi_type")
COMPUTED_OUTPUTS = {
    name: f"computed {name}" for name, kind in SCHEMA["outputs"].items() if kind == "string"
}


def sent(directory: Path, written: Mapping[str, str]) -> Recording:
    source = EVERYTHING.replace("OUTPUTS", repr(ATTRIBUTES))
    for name, text in written.items():
        source = source.replace(name, text)
    return evaluate_source(directory, source, computed_outputs={PROJECT: COMPUTED_OUTPUTS})


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
        "defaultEndpointSettings": {
            "autoscalingLimitMinCu": 0.25,
            "autoscalingLimitMaxCu": 2,
            "suspendTimeoutSeconds": 60,
        },
        "defaultBranchProtected": True,
    }


def test_every_name_that_is_sent_is_in_the_providers_schema_nested_ones_too(recording: Recording):
    unknown = [
        path for path, kind in leaves(recording["project"].inputs, SCHEMA["inputs"]) if kind is None
    ]
    assert unknown == []
    for block, kind in (
        ("branch", "ProjectBranch:ProjectBranch"),
        (
            "defaultEndpointSettings",
            "ProjectDefaultEndpointSettings:ProjectDefaultEndpointSettings",
        ),
    ):
        assert recording["project"].inputs[block].keys() == SCHEMAS["types"][kind].keys()


def test_every_value_that_is_sent_is_of_the_schemas_type(recording: Recording):
    kinds = {"string": str, "number": (int, float), "boolean": bool}
    for path, kind in leaves(recording["project"].inputs, SCHEMA["inputs"]):
        value: Any = recording["project"].inputs
        for part in path.split("."):
            value = value[part]
        assert isinstance(value, kinds[kind]), path


def leaves(
    inputs: Mapping[str, Any], kinds: Mapping[str, Any], prefix: str = ""
) -> list[tuple[str, Any]]:
    """Return the path and the schema's type of each plain value; None for an unknown name."""
    found: list[tuple[str, Any]] = []
    for name, value in inputs.items():
        kind = kinds.get(name)
        if isinstance(value, Mapping) and isinstance(kind, str) and kind in SCHEMAS["types"]:
            found += leaves(value, SCHEMAS["types"][kind], f"{prefix}{name}.")
        else:
            found.append((prefix + name, kind))
    return found


@pytest.mark.parametrize(
    "resource", [neon.Project, neon.Branch, neon.Endpoint], ids=lambda resource: resource.__name__
)
def test_the_signature_has_no_input_or_output_that_the_schema_lacks(
    resource: type[pulumi.CustomResource],
):
    schema = SCHEMAS["resources"][getattr(resource, "pulumi_type", "")]
    assert sdk.input_types(resource).keys() - schema["inputs"].keys() == set()
    assert sdk.output_names(resource) - schema["outputs"].keys() == set()
    assert (
        sdk.output_names(resource) - sdk.input_types(resource).keys()
        == schema["outputs"].keys() - schema["inputs"].keys()
    )
    assert sdk.input_types(resource).keys() >= set(schema["required"])


def test_every_declared_output_has_the_value_that_the_provider_returns(recording: Recording):
    for attribute in ATTRIBUTES:
        value = recording.outputs[attribute]
        value = value.value if isinstance(value, Secret) else value
        wire = camel(attribute)
        if wire in COMPUTED_OUTPUTS:
            assert value == COMPUTED_OUTPUTS[wire], attribute
        else:
            assert value is not None, attribute
    assert recording.outputs["default_branch_protected"] is True
    assert recording.outputs["id"] == "project-id"


def test_what_the_schema_marks_as_secret_is_secret_and_nothing_else(recording: Recording):
    assert recording["project"].secret_outputs == set(SCHEMA["secret"])
    secret = {name for name, value in recording.outputs.items() if isinstance(value, Secret)}
    assert secret == {"connection_uri", "connection_uri_pooler", "database_password"}


def test_the_options_of_the_caller_are_applied(recording: Recording):
    assert recording["project"].protect


def test_an_omitted_argument_is_not_sent(tmp_path: Path):
    recording = evaluate_source(
        tmp_path,
        'import pulumi_neon as neon\nneon.Project("project", name="n", branch={"name": "main"})\n',
    )
    assert recording["project"].inputs == {"name": "n", "branch": {"name": "main"}}


def test_an_argument_that_the_class_lacks_is_refused(tmp_path: Path):
    with pytest.raises(TypeError, match="regionId"):
        evaluate_source(
            tmp_path,
            'import pulumi_neon as neon\nneon.Project("project", regionId="aws-us-east-1")\n',
        )


def test_the_package_that_is_registered_is_the_one_that_the_plugin_file_names(recording: Recording):
    parameter = PLUGIN["parameterization"]
    value = base64.b64decode(parameter["value"])
    assert recording.packages == [
        {
            "name": PLUGIN["name"],
            "version": PLUGIN["version"],
            "parameterization": {
                "name": parameter["name"],
                "version": parameter["version"],
                "value": value,
            },
        }
    ]
    assert recording["project"].package, (
        "without the reference the engine looks for a plugin named neon"
    )


def test_the_plugin_is_the_terraform_bridge_parameterised_with_the_pinned_provider():
    assert (PLUGIN["resource"], PLUGIN["name"]) == (True, "terraform-provider")
    remote = json.loads(base64.b64decode(PLUGIN["parameterization"]["value"]))["remote"]
    assert remote["url"].endswith("/kislerdm/neon")
    assert remote["url"].count("/") == 2, "the CLI needs the host too"
    assert remote["version"] == PLUGIN["parameterization"]["version"] == "0.15.0"
    assert "kislerdm/neon 0.15.0" in SCHEMAS["about"], "the schemas are those of this version"
    assert 'version = "0.15.0"' in (ROOT / "sdks/neon/pyproject.toml").read_text()


def test_two_projects_register_one_package(tmp_path: Path):
    source = (
        'import pulumi_neon as neon\nfor name in ("a", "b"):\n    neon.Project(name, name=name)\n'
    )
    recording = evaluate_source(tmp_path, source)
    assert len(recording.resources) == 2
    assert len(recording.packages) == 1


FUNCTIONS = {
    "neon:index/getProject:getProject": (neon.get_project_output, neon.GetProjectResult),
    "neon:index/getBranchRolePassword:getBranchRolePassword": (
        neon.get_branch_role_password_output,
        neon.GetBranchRolePasswordResult,
    ),
}


@pytest.mark.parametrize("token", FUNCTIONS)
def test_a_function_is_invoked_with_the_package_and_its_result_is_secret_as_a_whole(
    tmp_path: Path, token: str
):
    function, result = FUNCTIONS[token]
    schema = SCHEMAS["functions"][token]
    arguments = [name for name in inspect.signature(function).parameters if name != "opts"]
    read = sorted(inspect.get_annotations(result))
    source = f"""
import pulumi
import pulumi_neon as neon
found = neon.{function.__name__}({", ".join(f"{name}={name!r}" for name in arguments)})
for name in {read!r}:
    pulumi.export(name, found.apply(lambda it, name=name: getattr(it, name)))
"""
    outputs = {
        name: Secret(f"computed {name}") if name in schema["secret"] else f"computed {name}"
        for name in schema["outputs"]
    }
    recording = evaluate_source(tmp_path, source, existing={token: outputs})
    assert [called for called, _ in recording.asked] == [token]
    assert recording.asked[0][1].keys() == set(schema["required"]) == schema["inputs"].keys()
    assert len(recording.packages) == 1, (
        "without the package the engine looks for a plugin named neon"
    )
    for name in read:
        wire = camel(name)
        assert recording.outputs[name] == Secret(f"computed {wire}"), name


def test_a_branch_that_exists_is_read_by_the_id_of_an_import_and_not_registered(tmp_path: Path):
    source = """
import pulumi
import pulumi_neon as neon
parent = neon.Branch.get("parent", "quiet-forest-1/br-main-1")
for name in ("id", "name", "protected"):
    pulumi.export(name, getattr(parent, name))
"""
    recording = evaluate_source(tmp_path, source)
    assert recording.asked == [("neon:index/branch:Branch", {"id": "quiet-forest-1/br-main-1"})]
    assert recording.resources == {}
    assert recording.outputs == {"id": "br-main-1", "name": "main", "protected": "yes"}


@pytest.mark.parametrize(
    "missing", ["Branch('b')", "Endpoint('e', project_id='p')", "Endpoint('e', branch_id='b')"]
)
def test_a_required_argument_that_is_missing_is_refused(tmp_path: Path, missing: str):
    with pytest.raises(TypeError, match="Missing required property"):
        evaluate_source(tmp_path, f"import pulumi_neon as neon\nneon.{missing}\n")


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> list[Recording]:
    """The program with a project of its own, and with a branch."""
    project = make_project(tmp_path_factory.mktemp("program"))
    branch = {"databaseBranchOf": "quiet-forest-1", "siteDomain": "acme-{stack}.example.com"}
    return [evaluate(project), evaluate(project, stack="pr-1", config=branch)]


def resources(programs: list[Recording]) -> list[Resource]:
    found = [resource for program in programs for resource in program.resources.values()]
    return [resource for resource in found if resource.type.startswith(("neon:", "vercel:"))]


@pytest.mark.parametrize("token", SCHEMAS["resources"])
def test_what_the_program_sends_to_neon_and_vercel_is_known_to_the_schema_and_complete(
    programs: list[Recording], token: str
):
    schema = SCHEMAS["resources"][token]
    found = [resource for resource in resources(programs) if resource.type == token]
    assert found, "the schema of a resource that the program does not have"
    for resource in found:
        assert not [
            path for path, kind in leaves(resource.inputs, schema["inputs"]) if kind is None
        ]
        assert resource.inputs.keys() >= set(schema["required"])
        assert [
            schemas.type_mismatch(value, schema["inputs"][name], name)
            for name, value in resource.inputs.items()
        ] == [None] * len(resource.inputs)


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        ("17", "number", "it is '17', expected a number"),
        (True, "number", "it is True, expected a number"),
        (1, "string", "it is 1, expected a string"),
        ("yes", "boolean", "it is 'yes', expected a boolean"),
        ("production", ["string"], "it is not a list"),
        (["production", 1], ["string"], "it[1] is 1, expected a string"),
        ({"a": 1}, {"*": "string"}, "it.a is 1, expected a string"),
        ("main", "ProjectBranch:ProjectBranch", "it is not a map"),
        (
            {"role_name": "x"},
            "ProjectBranch:ProjectBranch",
            "it.role_name is unknown; known are databaseName, name, roleName",
        ),
        (
            Secret({"roleName": 1}),
            "ProjectBranch:ProjectBranch",
            "it.roleName is 1, expected a string",
        ),
        (UNKNOWN, "number", None),
        ({"roleName": UNKNOWN}, "ProjectBranch:ProjectBranch", None),
        ({"activeTimeSeconds": 1}, "ProjectQuota:ProjectQuota", None),
    ],
)
def test_a_value_of_another_type_than_the_schema_has_is_found(
    value: Any, kind: Any, message: str | None
):
    assert schemas.type_mismatch(value, kind, "it") == message


MORE_THAN_THE_SCHEMA = {
    "vercel:index/project:Project": {"passport"},
    "vercel:index/projectEnvironmentVariable:ProjectEnvironmentVariable": {"visibility"},
}


@pytest.mark.parametrize(
    "token", [token for token in SCHEMAS["resources"] if token.startswith("vercel:")]
)
def test_vercels_sdk_and_its_provider_know_the_same_names(token: str):
    schema, resource = SCHEMAS["resources"][token], HANDLERS[token].sdk
    more = MORE_THAN_THE_SCHEMA.get(token, set())
    assert sdk.input_types(resource).keys() == schema["inputs"].keys() | more
    assert sdk.output_names(resource) == schema["outputs"].keys() | more
    assert not HANDLERS[token].supported & more


def test_the_schemas_name_their_sources_with_the_versions():
    assert SCHEMAS["sources"]["neon"] == f"kislerdm/neon {PLUGIN['parameterization']['version']}"
    assert (
        f"pulumiverse-vercel {importlib.metadata.version('pulumiverse-vercel')}"
        in SCHEMAS["sources"]["vercel"]
    )


def test_every_resource_and_function_of_neon_and_vercel_has_a_schema(programs: list[Recording]):
    assert {resource.type for resource in resources(programs)} == SCHEMAS["resources"].keys()
    called = {token for program in programs for token, _ in program.asked}
    assert called - SCHEMAS["resources"].keys() == SCHEMAS["functions"].keys()


def test_neon_and_vercel_take_their_tokens_from_the_environment_as_default_providers(
    programs: list[Recording],
):
    for resource in resources(programs):
        assert resource.provider == "", resource.name
