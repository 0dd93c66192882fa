"""The program on Pulumi's own engine: previews, updates, and what a change changes, and nothing else."""

import json
from collections.abc import Iterator

import pytest

from tests.support.checkout import get_json, request
from tests.support.engine import Engine, engine, lines_of, needs_pulumi, revealed

pytestmark = [needs_pulumi, pytest.mark.xdist_group("engine")]

CODE = {
    "service-migrate-function": "update",
    "service-api-function": "update",
    "service-live": "update",
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with engine(tmp_path_factory.mktemp("engine")) as made:
        previewed = made.preview()
        assert set(previewed.values()) == {"create"}
        assert not made.records(), "a preview makes nothing"
        assert made.up().keys() == previewed.keys()
        yield made


@pytest.fixture
def stack(shared: Engine) -> Iterator[Engine]:
    """The stack `local` as the program says, before and after."""
    yield shared
    if shared.touched:
        shared.up()
        shared.touched = False


def test_what_was_made_answers_and_holds_data(stack: Engine) -> None:
    outputs = stack.outputs()
    assert request(outputs["api_url"] + "/ingest/generate-mock?count=3&seed=1", "POST")[0] == 200
    assert get_json(outputs["api_url"] + "/accounts")["total"] == 3
    assert outputs["api_url"] in stack.copy.run("status")


def test_with_nothing_changed_a_preview_and_an_update_do_nothing(stack: Engine) -> None:
    assert stack.preview() == {}
    assert stack.up() == {}
    assert stack.up("refresh") == {}, "and nothing has drifted"


def test_a_preview_says_what_is_known_and_leaves_open_what_only_the_cloud_can_say(
    stack: Engine,
) -> None:
    text = Engine(stack.copy, "pr-9").run("preview")
    said = {
        line.partition(":")[0].strip(): line.partition(":")[2].strip()
        for line in text.splitlines()
        if ":" in line
    }
    assert said["api_url"] == said["neon_project_id"] == said["database_name"] == "[unknown]"
    assert said["frontend_url"].startswith('"http://localhost:')
    assert said["function_name"] == '"ai-success-insights-pr-9-api"'
    assert said["database_url"] == "[secret]"
    assert not Engine(stack.copy, "pr-9").records()


def test_a_change_of_code_alone_replaces_the_code_and_moves_the_alias(stack: Engine) -> None:
    layer = stack.records()["layers"]
    before = stack.resources()
    with stack.edited("service/handler.py", lambda text: text + "\n# another line\n"):
        assert stack.preview() == CODE
        assert stack.up() == CODE
        after = stack.resources()
        assert (
            after["service-live"]["inputs"]["functionVersion"]
            != before["service-live"]["inputs"]["functionVersion"]
        )
        assert stack.records()["layers"] == layer, "the dependencies are the same"
        assert request(stack.outputs()["api_url"])[0] == 200
        assert stack.preview() == {}


def test_a_change_of_the_apis_name_renames_it_at_its_address(stack: Engine) -> None:
    before = stack.outputs()
    with stack.edited(
        "__main__.py", lambda text: text.replace("name=names.api,", 'name=f"{names.api}-renamed",')
    ):
        assert stack.preview() == {"gateway-api": "update"}
        assert stack.up() == {"gateway-api": "update"}
        assert stack.resources()["gateway-api"]["outputs"]["name"].endswith("-renamed")
        assert stack.outputs() == before
        assert request(before["api_url"])[0] == 200


def test_a_change_of_tags_alone_publishes_nothing(stack: Engine) -> None:
    with stack.edited(
        "components/function.py",
        lambda text: text.replace(
            "publish=args.publish,", 'publish=args.publish, tags={"a": "b"},'
        ),
    ):
        assert (
            stack.preview()
            == stack.up()
            == {"service-migrate-function": "update", "service-api-function": "update"}
        )


def test_another_region_makes_everything_of_aws_anew_and_keeps_the_rest_apart(
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


def test_an_input_that_there_is_not_is_refused_by_its_name_before_anything_is_made(
    stack: Engine,
) -> None:
    misspelt = 'pulumi.CustomResource("aws:cloudwatch/logGroup:LogGroup", "misspelt", {"nam": "x", "retentionInDays": 7})'
    with stack.edited("__main__.py", lambda text: f"{text}\n{misspelt}\n"):
        text = stack.run("up", "--yes", "--skip-preview", code=1)
    assert "has no input 'nam'; known are" in text
    assert "misspelt" in text
    assert "KeyboardInterrupt" not in text, (
        "what the engine does to the program then is nobody's concern"
    )


def test_a_misspelt_key_of_a_provider_is_refused(stack: Engine) -> None:
    with stack.configured(**{"vercel:taem": "us"}):
        text = stack.run("preview", code=1)
    assert "is no input of the provider vercel" in text
    assert "team" in text


def test_secrets_are_in_the_clear_nowhere_in_the_state_and_nothing_else_is_hidden(
    stack: Engine,
) -> None:
    with stack.configured(openaiApiKey="sk-of-this-machine"):
        stack.up()
        outputs = stack.outputs()
        password = revealed(stack.resources()["database-project"]["outputs"]["databasePassword"])
        kept = lines_of(stack.root / ".local/pulumi", "*")
        assert outputs["database_name"] in kept, "there is something to look at"
        assert password in outputs["database_url"]
        assert password not in kept
        assert "sk-of-this-machine" not in kept
        shown = stack.json("stack", "output", "--json")
    assert {name for name, value in shown.items() if value == "[secret]"} == {
        "database_url",
        "direct_database_url",
    }


def test_both_ways_in_know_the_same_resources_by_the_same_names_with_the_same_inputs(
    stack: Engine,
) -> None:
    by_engine, records = stack.resources(), stack.records()
    stack.copy.run("down")
    with stack.copy.up("--no-frontend"):
        assert stack.records() == records, (
            "what the engine had made has been taken over, and nothing was made twice"
        )
        state = json.loads((stack.root / ".local/stacks/local.json").read_text())["resources"]
        in_process = {item["urn"].rpartition("::")[2]: item for item in state}
        assert stack.preview() == {}, "the engine finds it as it left it"
    assert in_process.keys() == by_engine.keys()
    for name, resource in by_engine.items():
        assert resource["urn"] == in_process[name]["urn"]
        assert resource["id"] == in_process[name]["id"], name
        assert revealed(resource["inputs"]) == in_process[name]["inputs"], name


def test_the_configuration_of_this_machine_is_not_written_by_the_cli(stack: Engine) -> None:
    before = (stack.root / "Pulumi.local.yaml").read_text()
    assert ".local/config.yaml" in stack.run("config", "set", "memory", "1024", code=1)
    assert (stack.root / "Pulumi.local.yaml").read_text() == before
