"""The layers of a local stack's configuration, merged as the CLI merges them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from common.errors import UserError
from stack.local.deploy import stack_config


def layered(
    directory: Path,
    *,
    stack: str = "",
    own: str = "",
    config_overrides: dict[str, str] | None = None,
) -> stack_config.StackSettings:
    declared = {
        "aws:region": {"value": "us-east-1"},
        "memory": {"type": "integer", "default": 512},
        "empty": {"default": None},
    }
    (directory / "Pulumi.yaml").write_text(
        json.dumps({"name": "tiny", "config": {**declared, "list": {"default": ["a"]}}})
    )
    (directory / "Pulumi.dev.yaml").write_text(stack)
    (directory / ".local").mkdir(exist_ok=True)
    (directory / ".local" / "config.yaml").write_text(own)
    return stack_config.load(directory, "dev", config_overrides=config_overrides or {})


def test_without_a_stacks_file_the_values_are_the_defaults_of_the_project_as_texts(tmp_path: Path):
    settings = layered(tmp_path)
    assert settings.config == {
        "aws:region": "us-east-1",
        "tiny:memory": "512",
        "tiny:list": '["a"]',
    }
    assert settings.region == "us-east-1"
    assert settings.project == "tiny"


def test_each_layer_overrides_the_one_before_and_config_overrides_override_all(
    tmp_path: Path,
):
    stack = "config:\n  tiny:memory: 1024\n  tiny:protect: true\n  aws:region: eu-central-1\n"
    assert layered(tmp_path, stack=stack).config["tiny:memory"] == "1024"
    own = "memory: 2048\nopenaiApiKey: sk-mine\n"
    settings = layered(tmp_path, stack=stack, own=own)
    assert settings.config["tiny:memory"] == "2048"
    assert settings.config["tiny:protect"] == "true"
    assert settings.region == "eu-central-1"
    assert (
        layered(tmp_path, stack=stack, own=own, config_overrides={"memory": "4096"}).config[
            "tiny:memory"
        ]
        == "4096"
    )


def test_a_secret_key_is_a_secret_in_every_file(tmp_path: Path):
    assert layered(tmp_path, own="openaiApiKey: sk-mine\n").secret_keys == (
        "tiny:openaiApiKey",
        "tiny:apiKeys",
    )


def test_keys_of_providers_and_other_projects_keep_their_namespace(tmp_path: Path):
    config = layered(tmp_path, stack="config:\n  vercel:team: acme\n  other:memory: 1\n").config
    assert (config["vercel:team"], config["other:memory"], config["tiny:memory"]) == (
        "acme",
        "1",
        "512",
    )


def test_an_encrypted_value_is_refused_with_the_file_for_a_plain_one(tmp_path: Path):
    with pytest.raises(
        UserError, match=r"Pulumi\.dev\.yaml: apiKeys is encrypted.*\.local/config\.yaml"
    ):
        layered(tmp_path, stack="config:\n  tiny:apiKeys:\n    secure: v1:abc\n")
    settings = layered(
        tmp_path, stack="config:\n  tiny:apiKeys:\n    secure: v1:abc\n", own="apiKeys: mine\n"
    )
    assert settings.config["tiny:apiKeys"] == "mine"


def test_a_report_replaces_encrypted_values_and_omits_the_personal_layer(
    tmp_path: Path,
):
    layered(tmp_path, own="memory: 2048\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("config:\n  tiny:apiKeys:\n    secure: v1:abc\n")
    config = stack_config.load(
        tmp_path,
        "dev",
        config_overrides={},
        read_local_file=False,
        encrypted_as={"apiKeys": "sealed"},
    ).config
    assert (config["tiny:apiKeys"], config["tiny:memory"]) == ("sealed", "512")


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ({"stack": "config: [unclosed"}, "Pulumi.dev.yaml is not YAML"),
        ({"stack": "- a list"}, "Pulumi.dev.yaml: a map of keys is expected"),
        ({"stack": "config: text"}, "Pulumi.dev.yaml: config is not a map"),
        ({"own": "text"}, ".local/config.yaml: a map of keys is expected"),
        ({"own": "memory: 1\nmemory: 2"}, ".local/config.yaml is not YAML: the key memory"),
        ({"own": "a: 1\nmemory: 1\n\nmemory: 2"}, "memory is there twice, in lines 2 and 4"),
        ({"own": "memory: 1\ntiny:memory: 2"}, ".local/config.yaml: memory is there twice"),
        ({"stack": "config:\n  a:\n    b: 1\n    b: 1"}, "the key b is there twice"),
    ],
)
def test_a_file_that_is_no_map_is_refused_with_its_name(
    tmp_path: Path, layer: dict[str, Any], message: str
):
    with pytest.raises(UserError, match=re.escape(message)):
        layered(tmp_path, **layer)
