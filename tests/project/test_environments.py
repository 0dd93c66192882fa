"""`scripts/environments.py`: stacks of pull requests are created, filled, kept and removed."""

import datetime
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.checkout import ROOT

SCRIPT = ROOT / "scripts/environments.py"
spec = importlib.util.spec_from_file_location("environments", SCRIPT)
assert spec
assert spec.loader
environments = importlib.util.module_from_spec(spec)
spec.loader.exec_module(environments)

NOW = datetime.datetime(2026, 11, 26, 4, 17, tzinfo=datetime.UTC)
FRESH, OLD = "2026-11-25T04:17:00.123Z", "2026-11-18T04:17:00.123Z"


@pytest.mark.parametrize(
    ("stack", "reason"),
    [
        ({"name": "pr-1", "lastUpdate": FRESH}, None),
        ({"name": "pr-1"}, None),
        ({"name": "pr-1", "lastUpdate": OLD}, "more than 7 days ago"),
        ({"name": "pr-2", "lastUpdate": FRESH}, "closed"),
        ({"name": "prod", "lastUpdate": OLD}, None),
        ({"name": "preview", "lastUpdate": OLD}, None),
        ({"name": "pr-2-of-mine", "lastUpdate": OLD}, None),
        ({"name": "xpr-2", "lastUpdate": OLD}, None),
    ],
)
def test_only_stacks_of_pull_requests_are_removed(
    stack: dict[str, Any], reason: str | None
) -> None:
    found = environments.leftover(stack, {1}, NOW)
    assert (found is None) if reason is None else (reason in found)


@pytest.mark.parametrize("name", ["prod", "preview", "pr-", "pr-1;x", "--help-me", "pr-1/2"])
def test_other_stacks_can_neither_be_created_nor_removed(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for action in ("up", "down"):
        with pytest.raises(SystemExit) as refused:
            environments.main([action, "--", name])
        assert refused.value.code == 2
        assert "is no pull request's stack" in capsys.readouterr().err


@dataclass
class Api:
    """A fake of the service of a stack: it returns given statuses and records the requests."""

    statuses: list[int] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def api() -> Iterator[Api]:
    api = Api()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            api.requests.append(self.path)
            self.send_response(api.statuses.pop(0) if api.statuses else 200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    api.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield api
    server.shutdown()
    thread.join()
    server.server_close()


def test_samples_are_requested_again_while_the_service_starts(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environments.time, "sleep", lambda _seconds: None)
    api.statuses = [503, 500]
    environments.add_samples(api.url)
    assert api.requests == [environments.SAMPLES] * 3


def test_no_samples_are_added_where_the_api_requires_a_key(
    api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    api.statuses = [401]
    environments.add_samples(api.url)
    assert "requires a key" in capsys.readouterr().out
    assert len(api.requests) == 1


def test_a_service_that_keeps_failing_fails_the_environment(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environments.time, "sleep", lambda _seconds: None)
    api.statuses = [500] * 9
    with pytest.raises(SystemExit, match="failed 5 times, at last with 500"):
        environments.add_samples(api.url)


@dataclass
class Project:
    """A program without resources, the real engine with a state in files, and a fake `gh`."""

    root: Path
    variables: dict[str, str]

    def run(self, *arguments: str) -> str:
        command = [sys.executable, str(SCRIPT), *arguments]
        process = subprocess.run(
            command,
            cwd=self.root,
            env=self.variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )
        assert process.returncode == 0, process.stdout + process.stderr
        return process.stdout

    def stacks(self) -> set[str]:
        command = ["pulumi", "stack", "ls", "--json", "--non-interactive"]
        listed = subprocess.run(
            command, cwd=self.root, env=self.variables, capture_output=True, text=True, check=True
        )
        return {stack["name"] for stack in json.loads(listed.stdout)}

    def remove_stack_files(self) -> None:
        """Restore what the next run of the workflow has: a checkout without the stacks' files."""
        for file in self.root.glob("Pulumi.pr-*.yaml"):
            file.unlink()


@pytest.fixture
def project(tmp_path: Path, api: Api) -> Project:
    if shutil.which("pulumi") is None:
        pytest.skip("no `pulumi` on the PATH: the stacks are created by the real one")
    for directory in ("project", "state", "bin", "home"):
        (tmp_path / directory).mkdir()
    root = tmp_path / "project"
    runtime = {"name": "python", "options": {"toolchain": "pip", "virtualenv": sys.prefix}}
    (root / "Pulumi.yaml").write_text(json.dumps({"name": "tiny", "runtime": runtime}))
    (root / "Pulumi.preview.yaml").write_text(
        "config:\n  tiny:siteDomain: acme-{stack}.example.com\n"
    )
    (root / "__main__.py").write_text(
        "import pulumi\n"
        f"pulumi.export('api_url', {api.url!r})\n"
        "domain = pulumi.Config().require('siteDomain').replace('{stack}', pulumi.get_stack())\n"
        "pulumi.export('frontend_url', 'https://' + domain)\n"
    )
    gh = tmp_path / "bin/gh"
    gh.write_text(
        "#!/bin/sh\n"
        f"printf '%s\\n' \"$*\" > {tmp_path}/gh-arguments\n"
        "printf '[{\"number\": 7}]'\n"
    )
    gh.chmod(0o755)
    own = {
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "HOME": str(tmp_path / "home"),
        "GITHUB_OUTPUT": str(tmp_path / "outputs"),
    }
    state = {
        "PULUMI_BACKEND_URL": f"file://{tmp_path / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "previews own",
        "PULUMI_SKIP_UPDATE_CHECK": "1",
    }
    return Project(root, {**os.environ, **own, **state, "PULUMI_HOME": str(tmp_path / "pulumi")})


def test_a_stack_is_created_from_the_template_updated_and_removed_with_its_pull_request(
    project: Project, api: Api, tmp_path: Path
) -> None:
    for stack in ("pr-7", "pr-8"):
        project.run("up", stack)
    assert project.stacks() == {"preview", "pr-7", "pr-8"}
    assert api.requests == [environments.SAMPLES] * 2
    assert (
        tmp_path / "outputs"
    ).read_text() == "site=https://acme-pr-7.example.com\nsite=https://acme-pr-8.example.com\n"

    project.remove_stack_files()
    (project.root / "Pulumi.preview.yaml").write_text(
        "config:\n  tiny:siteDomain: other-{stack}.example.com\n"
    )
    assert "site=https://other-pr-7.example.com" in project.run("up", "pr-7"), (
        "the template's configuration as it is now"
    )

    assert project.run("sweep", "--dry-run").startswith("pr-8: its pull request is closed")
    assert project.stacks() == {"preview", "pr-7", "pr-8"}, "listed only"
    project.remove_stack_files()
    project.run("sweep")
    assert project.stacks() == {"preview", "pr-7"}
    assert (
        (tmp_path / "gh-arguments")
        .read_text()
        .startswith("pr list --state open --label environment")
    )
    project.run("down", "pr-7")
    project.run("down", "pr-7")
    assert project.stacks() == {"preview"}


def test_a_branch_of_another_database_gets_no_samples(project: Project, api: Api) -> None:
    with (project.root / "Pulumi.preview.yaml").open("a") as file:
        file.write("  tiny:databaseBranchOf: quiet-forest-1\n")
    project.run("up", "pr-7")
    assert api.requests == []
