"""`stack pulumi` as far as it needs no CLI: its arguments, its workspace, and its errors."""

import json
import os
import re
import socket
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from common.environment import inherited
from common.errors import UserError
from stack.cli.pulumi_arguments import PulumiArguments
from stack.local.pulumi_provider.workspace import Workspace
from stack.local.system.paths import LocalPaths
from tests.support.checkout import Checkout

PULUMI_YAML = "name: tiny\nruntime: python\nconfig:\n  memory: {type: integer, default: 512}\n"
OVERRIDES = {"siteDomain": "localhost:20001", "sslMode": "prefer"}


def test_without_pulumi_on_the_path_one_sentence_says_how_to_install_it(tmp_path: Path):
    copy = Checkout(Path(__file__).parents[3], {"PATH": str(tmp_path)})
    text = copy.run("pulumi", "preview", code=3)
    assert "`pulumi` is not on the PATH" in text
    assert "https://www.pulumi.com/docs/iac/download-install/" in text
    assert len(text.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("given", "stack", "deploys", "creates"),
    [
        (["up"], "local", True, True),
        (["preview", "--diff"], "local", True, True),
        (["up", "--stack", "pr-1", "--yes"], "pr-1", True, True),
        (["--stack", "pr-1", "up"], "pr-1", True, True),
        (["up", "--stack=pr-1"], "pr-1", True, True),
        (["up", "-s", "pr-1"], "pr-1", True, True),
        (["up", "-spr-1"], "pr-1", True, True),
        (["up", "-s=organization/tiny/pr-1"], "pr-1", True, True),
        (["up", "--skip-preview"], "local", True, True),
        (["-v", "3", "up"], "local", True, True),
        (["up", "--message", "destroy"], "local", True, True),
        (["destroy", "--skip-preview"], "local", True, False),
        (["refresh"], "local", True, True),
        (["stack", "output", "api_url"], "local", False, False),
        (["stack", "init", "pr-2"], "pr-2", False, False),
        (["stack", "rm", "pr-2", "--yes"], "pr-2", False, False),
        (["stack", "rm", "-s", "pr-2"], "pr-2", False, False),
        (["stack", "export"], "local", False, False),
        (["cancel"], "local", False, False),
        (["up", "--help"], "local", False, False),
        (["--version"], "local", False, False),
        ([], "local", False, False),
    ],
)
def test_the_arguments_give_the_stack_and_whether_the_local_cloud_is_needed(
    given: Sequence[str], stack: str, deploys: bool, creates: bool
):
    parsed = PulumiArguments.parse(given)
    assert (parsed.stack, parsed.deploys, parsed.creates) == (stack, deploys, creates)
    assert parsed.arguments == given, "the CLI gets them as they are"


def test_the_first_argument_may_leave_the_frontend_out():
    assert PulumiArguments.parse(["--no-frontend", "up"]).arguments == ["up"]
    assert not PulumiArguments.parse(["--no-frontend", "up"]).frontend
    assert PulumiArguments.parse(["up"]).frontend


@pytest.mark.parametrize(
    ("given", "writes"),
    [
        (["config"], False),
        (["config", "--show-secrets"], False),
        (["config", "get", "memory"], False),
        (["config", "set", "memory", "1024"], True),
        (["config", "set", "--secret", "apiKeys"], True),
        (["config", "rm", "memory"], True),
        (["up"], False),
    ],
)
def test_commands_that_write_configuration_differ_from_those_that_read_it(
    given: Sequence[str], writes: bool
):
    assert PulumiArguments.parse(given).writes_configuration is writes


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "Pulumi.yaml").write_text(PULUMI_YAML)
    created = Workspace(LocalPaths(tmp_path))
    created.make()
    return created


def written(workspace: Workspace, stack: str) -> dict[str, object]:
    return yaml.safe_load((workspace.project_directory / f"Pulumi.{stack}.yaml").read_text())


def test_the_project_runs_the_program_of_the_checkout_with_this_interpreter(
    workspace: Workspace, tmp_path: Path
):
    document = yaml.safe_load((workspace.project_directory / "Pulumi.yaml").read_text())
    assert document["name"] == "tiny"
    assert document["config"] == {"memory": {"type": "integer", "default": 512}}
    assert document["main"] == str(tmp_path)
    assert document["runtime"]["options"]["virtualenv"] == sys.prefix


def test_the_passphrase_is_created_once_and_readable_by_its_owner_only(
    workspace: Workspace, tmp_path: Path
):
    path = tmp_path / ".local/pulumi/passphrase"
    before = path.read_text()
    assert len(before) >= 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    Workspace(LocalPaths(tmp_path)).make()
    assert path.read_text() == before


def test_the_cli_gets_directories_of_its_own_and_no_cloud_credentials(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name in (
        "AWS_PROFILE",
        "NEON_API_KEY",
        "VERCEL_API_TOKEN",
        "PULUMI_ACCESS_TOKEN",
        "PULUMI_BACKEND_URL",
        "PULUMI_STACK",
    ):
        monkeypatch.setenv(name, "of a cloud")
    environment = workspace.environment(inherited(), port=1234)
    assert "of a cloud" not in environment.values()
    assert environment["STACK_LOCAL_CLOUD"] == str(LocalPaths(tmp_path).socket)
    assert environment["PULUMI_BACKEND_URL"] == f"file://{tmp_path}/.local/pulumi/state"
    assert environment["PULUMI_DEBUG_PROVIDERS"] == "aws:1234,vercel:1234,terraform-provider:1234"
    assert "PULUMI_DEBUG_PROVIDERS" not in workspace.environment(inherited(), port=None)


def test_configuration_files_are_read_in_the_order_local_stack_and_uncommitted(
    workspace: Workspace, tmp_path: Path
):
    (tmp_path / "Pulumi.local.yaml").write_text(
        "config: {'tiny:a': of the machine, 'tiny:b': of the machine, 'tiny:c': 1}\n"
    )
    (tmp_path / "Pulumi.pr-1.yaml").write_text(
        "config: {'tiny:b': of the stack, 'tiny:siteDomain': x.example.com, "
        "'aws:region': eu-west-2}\n"
    )
    (tmp_path / ".local/config.yaml").write_text("c: [mine]\n")
    assert workspace.configure("pr-1", OVERRIDES) == {}
    assert written(workspace, "pr-1")["config"] == {
        "tiny:a": "of the machine",
        "tiny:b": "of the stack",
        "tiny:c": ["mine"],
        "aws:region": "eu-west-2",
        "tiny:siteDomain": "localhost:20001",
        "tiny:sslMode": "prefer",
    }


def test_secrets_are_returned_and_not_written_in_the_clear(workspace: Workspace, tmp_path: Path):
    (tmp_path / ".local/config.yaml").write_text("openaiApiKey: sk-mine\nmemory: 1024\n")
    assert workspace.configure("local", OVERRIDES) == {"tiny:openaiApiKey": "sk-mine"}
    assert "sk-mine" not in (workspace.project_directory / "Pulumi.local.yaml").read_text()


def test_the_encryption_salt_of_the_cli_is_kept(workspace: Workspace):
    workspace.configure("local", OVERRIDES)
    path = workspace.project_directory / "Pulumi.local.yaml"
    path.write_text(f"encryptionsalt: v1:abc\n{path.read_text()}")
    workspace.configure("local", OVERRIDES)
    assert written(workspace, "local")["encryptionsalt"] == "v1:abc"


def test_an_encrypted_value_is_refused_unless_the_local_file_has_the_key(
    workspace: Workspace, tmp_path: Path
):
    (tmp_path / "Pulumi.prod.yaml").write_text("config: {'tiny:apiKeys': {secure: AAAB}}\n")
    with pytest.raises(UserError, match=r"apiKeys is encrypted.*\.local/config\.yaml"):
        workspace.configure("prod", OVERRIDES)
    (tmp_path / ".local/config.yaml").write_text("apiKeys: mine\n")
    assert workspace.configure("prod", OVERRIDES) == {"tiny:apiKeys": "mine"}


def state(tmp_path: Path) -> Path:
    return tmp_path / ".local/pulumi/state/.pulumi"


def test_a_stack_exists_if_its_state_file_does_and_not_a_backup(
    workspace: Workspace, tmp_path: Path
):
    path = state(tmp_path) / "stacks/tiny/pr-1.json"
    path.parent.mkdir(parents=True)
    path.with_name("pr-1.json.bak").touch()
    assert not workspace.has("pr-1")
    path.touch()
    assert workspace.has("pr-1")
    assert not workspace.has("pr")


def lock(tmp_path: Path, **held: object) -> Path:
    path = state(tmp_path) / f"locks/organization/tiny/local/{len(list(tmp_path.rglob('*')))}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"pid": 1, "hostname": socket.gethostname(), **held}))
    return path


def test_only_the_lock_of_a_killed_process_is_removed(workspace: Workspace, tmp_path: Path):
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    dead = lock(tmp_path, pid=ended.pid)
    elsewhere = lock(tmp_path, pid=ended.pid, hostname="another machine")
    unreadable = lock(tmp_path)
    unreadable.write_text("{")
    assert workspace.unlock("local") == [ended.pid]
    assert not dead.exists()
    assert elsewhere.exists()
    assert unreadable.exists()


def test_the_lock_of_a_running_pulumi_is_kept(workspace: Workspace, tmp_path: Path):
    program = tmp_path / "pulumi"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([str(program), "60"]) as running:
        held = lock(tmp_path, pid=running.pid)
        assert workspace.unlock("local") == []
        assert held.exists()
        running.kill()


def test_removing_a_stack_deletes_its_history_and_no_other(workspace: Workspace, tmp_path: Path):
    kept, gone = [], []
    for stack, into in (("pr-1", gone), ("pr-10", kept), ("local", kept)):
        for path in (
            state(tmp_path) / f"history/tiny/{stack}/a.json",
            state(tmp_path) / f"stacks/tiny/{stack}.json.bak",
            tmp_path / f".local/pulumi/home/logs/organization+tiny+{stack}-20261126T120000.log",
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            into.append(path)
    workspace.forget("pr-1")
    assert not [path for path in gone if path.exists()]
    assert not [path for path in kept if not path.exists()]


def test_help_names_the_command():
    command = [sys.executable, "-m", "stack.cli.main", "--help"]
    text = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
        env=dict(os.environ),
    ).stdout
    assert re.search(r"^\s+pulumi\s", text, re.MULTILINE)
