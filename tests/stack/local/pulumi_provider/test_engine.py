"""The program on Pulumi's own engine: previews, updates, and the extent of changes."""

import json
from collections.abc import Iterator

import pytest

from tests.support.checkout import get_json, request
from tests.support.engine import Engine, engine, needs_pulumi, read_files, revealed

pytestmark = [needs_pulumi, pytest.mark.xdist_group("engine")]

CODE = {
    "service-migrate-function": "update",
    "service-api-function": "update",
    "service-upkeep-function": "update",
    "service-live": "update",
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with engine(tmp_path_factory.mktemp("engine")) as deployed:
        previewed = deployed.preview()
        assert set(previewed.values()) == {"create"}
        assert not deployed.records(), "a preview creates nothing"
        assert deployed.up().keys() == previewed.keys()
        yield deployed


@pytest.fixture
def stack(shared: Engine) -> Iterator[Engine]:
    """The stack `local`, deployed from the unchanged program before and after the test."""
    yield shared
    if shared.changed_files:
        shared.up()
        shared.changed_files = False


def test_the_deployed_api_serves_requests_and_stores_data(stack: Engine) -> None:
    outputs = stack.outputs()
    assert request(outputs["api_url"] + "/ingest/generate-mock?count=3&seed=1", "POST")[0] == 200
    assert get_json(outputs["api_url"] + "/accounts")["total"] == 3
    assert outputs["api_url"] in stack.copy.run("status")


def test_without_a_change_a_preview_and_an_update_do_nothing(stack: Engine) -> None:
    assert stack.preview() == {}
    assert stack.up() == {}
    assert stack.up("refresh") == {}, "and nothing has drifted"


def test_a_preview_shows_known_outputs_and_marks_computed_ones_as_unknown(
    stack: Engine,
) -> None:
    text = Engine(stack.copy, "pr-9").run("preview")
    shown = {
        line.partition(":")[0].strip(): line.partition(":")[2].strip()
        for line in text.splitlines()
        if ":" in line
    }
    assert shown["api_url"] == shown["neon_project_id"] == shown["database_name"] == "[unknown]"
    assert shown["frontend_url"].startswith('"http://localhost:')
    assert shown["function_name"] == '"ai-success-insights-pr-9-api"'
    assert shown["database_url"] == "[secret]"
    assert not Engine(stack.copy, "pr-9").records()


def test_a_change_of_code_updates_the_functions_and_the_alias_only(stack: Engine) -> None:
    layer = stack.records()["layers"]
    before = stack.resources()
    with stack.edited("service/handler.py", lambda text: text + "\n# another line\n"):
        assert stack.preview() == {**CODE, "service-verification": "replace"}
        done = stack.up()
        assert set(done.pop("service-verification").split()) >= {"create-replacement"}
        assert done == CODE
        after = stack.resources()
        assert (
            after["service-live"]["inputs"]["functionVersion"]
            != before["service-live"]["inputs"]["functionVersion"]
        )
        assert stack.records()["layers"] == layer, "the dependencies are the same"
        assert request(stack.outputs()["api_url"])[0] == 200
        assert stack.preview() == {}


def test_a_change_of_the_apis_name_keeps_its_address(stack: Engine) -> None:
    before = stack.outputs()
    with stack.edited(
        "__main__.py", lambda text: text.replace("name=names.api,", 'name=f"{names.api}-renamed",')
    ):
        assert stack.preview() == {"gateway-api": "update"}
        assert stack.up() == {"gateway-api": "update"}
        assert stack.resources()["gateway-api"]["outputs"]["name"].endswith("-renamed")
        assert stack.outputs() == before
        assert request(before["api_url"])[0] == 200


def test_a_change_of_tags_publishes_no_version(stack: Engine) -> None:
    with stack.edited(
        "components/function.py",
        lambda text: text.replace(
            "publish=args.publish,", 'publish=args.publish, tags={"a": "b"},'
        ),
    ):
        assert (
            stack.preview()
            == stack.up()
            == {name: step for name, step in CODE.items() if name.endswith("-function")}
        )


def test_another_region_replaces_the_resources_of_aws(
    stack: Engine,
) -> None:
    with stack.configured(**{"aws:region": "eu-central-1", "neonRegion": "aws-us-east-1"}):
        steps = stack.preview()
    assert steps["gateway-api"] == steps["service-layer"] == "replace"
    assert {steps[name] for name in steps if name.startswith(("service-", "gateway-"))} <= {
        "replace",
        "create",
        "create-replacement",
    }


def test_an_unknown_input_is_refused_by_its_name_before_anything_is_created(
    stack: Engine,
) -> None:
    misspelt = (
        'pulumi.CustomResource("aws:cloudwatch/logGroup:LogGroup", "misspelt", '
        '{"nam": "x", "retentionInDays": 7})'
    )
    with stack.edited("__main__.py", lambda text: f"{text}\n{misspelt}\n"):
        text = stack.run("up", "--yes", "--skip-preview", code=1)
    assert "has no input 'nam'; known are" in text
    assert "misspelt" in text
    assert "KeyboardInterrupt" not in text, (
        "the interruption of the program by the engine is not shown"
    )


def test_a_misspelt_key_of_a_provider_is_refused(stack: Engine) -> None:
    with stack.configured(**{"vercel:taem": "us"}):
        text = stack.run("preview", code=1)
    assert "is no input of the provider vercel" in text
    assert "team" in text


def test_secrets_are_encrypted_in_every_file_and_only_secrets_are_hidden(
    stack: Engine,
) -> None:
    with stack.configured(openaiApiKey="sk-of-this-machine"):
        stack.up()
        outputs = stack.outputs()
        password = revealed(stack.resources()["database-project"]["outputs"]["databasePassword"])
        files = read_files(stack.root / ".local/pulumi", "*")
        assert outputs["database_name"] in files, "the files have been read"
        assert password in outputs["database_url"]
        assert password not in files
        assert "sk-of-this-machine" not in files
        shown = stack.json("stack", "output", "--json")
    assert {name for name, value in shown.items() if value == "[secret]"} == {
        "database_url",
        "direct_database_url",
    }


def test_both_front_ends_have_the_same_resources_with_the_same_urns_ids_and_inputs(
    stack: Engine,
) -> None:
    by_engine, records = stack.resources(), stack.records()
    stack.copy.run("down")
    with stack.copy.up("--no-frontend"):
        assert stack.records() == records, (
            "the engine's resources have been adopted, and none was created twice"
        )
        state = json.loads((stack.root / ".local/stacks/local.json").read_text())["resources"]
        in_process = {item["urn"].rpartition("::")[2]: item for item in state}
        assert stack.preview() == {}, "the engine finds no difference"
    assert in_process.keys() == by_engine.keys()
    for name, resource in by_engine.items():
        assert resource["urn"] == in_process[name]["urn"]
        assert resource["id"] == in_process[name]["id"], name
        assert revealed(resource["inputs"]) == in_process[name]["inputs"], name


def test_config_set_is_refused_and_changes_no_file(stack: Engine) -> None:
    before = (stack.root / "Pulumi.local.yaml").read_text()
    assert ".local/config.yaml" in stack.run("config", "set", "memory", "1024", code=1)
    assert (stack.root / "Pulumi.local.yaml").read_text() == before
