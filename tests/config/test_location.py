"""Errors say which file a value is from, and how to change it there."""

from pathlib import Path

import pytest

from config.location import how_to_change, how_to_remove
from config.types import StackIdentity

PROD = StackIdentity(project="tiny", stack="prod", local=False, aws_region="us-east-1")
LOCAL = StackIdentity(project="tiny", stack="local", local=True, aws_region="us-east-1")


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "Pulumi.yaml").write_text(
        "name: tiny\nconfig:\n  memory: {default: 512}\n  timeout: {default: 29}\n"
        "  extraOrigins: {default: []}\n  aws:region: {value: us-east-1}\n"
    )
    (tmp_path / "Pulumi.prod.yaml").write_text(
        "config:\n  tiny:memory: 1\n  aws:region: nowhere\n  tiny:extraOrigins: [x]\n"
    )
    (tmp_path / "Pulumi.local.yaml").write_text("config:\n  tiny:memory: 1\n")
    (tmp_path / ".local").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("key", "advice"),
    [
        ("memory", "Pulumi.prod.yaml: change it with `pulumi config set memory VALUE -s prod`"),
        ("aws:region", "Pulumi.prod.yaml: change it with `pulumi config set aws:region VALUE"),
        ("timeout", "Pulumi.yaml: change it with `pulumi config set timeout VALUE -s prod`"),
        ("extraOrigins[0]", "yaml: change it with `pulumi config set --path 'extraOrigins[0]' "),
    ],
)
def test_a_value_of_a_cloud_stack_is_changed_by_the_cli(key: str, advice: str):
    assert how_to_change(key, PROD).startswith("It is from ")
    assert advice in how_to_change(key, PROD)


def test_a_value_that_no_file_has_is_set_by_the_cli(files: Path):
    expected = "change it with `pulumi config set apiKeys VALUE -s prod`."
    assert how_to_change("apiKeys", PROD) == expected
    (files / "Pulumi.prod.yaml").write_text("[unclosed")
    assert "It is from Pulumi.yaml" in how_to_change("memory", PROD)


def test_a_value_of_a_local_stack_is_changed_in_the_file_of_the_checkout(files: Path):
    expected = "It is from Pulumi.local.yaml: write another value of memory to .local/config.yaml."
    assert how_to_change("memory", LOCAL) == expected
    (files / ".local/config.yaml").write_text("memory: 1\nextraOrigins: [x]\n")
    for key in ("memory", "extraOrigins[0]"):
        assert how_to_change(key, LOCAL) == "Change it in .local/config.yaml."


def test_an_unknown_key_is_removed_where_it_is(files: Path):
    assert how_to_remove("memmory", PROD) == "Remove it with `pulumi config rm memmory -s prod`."
    (files / ".local/config.yaml").write_text("memmory: 1\n")
    assert how_to_remove("memmory", LOCAL) == "Remove it from .local/config.yaml."
    (files / "Pulumi.yaml").write_text("name: tiny\nconfig: {memmory: 1}\n")
    assert how_to_remove("memmory", PROD) == "Remove it from Pulumi.yaml."
