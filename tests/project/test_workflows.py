"""The workflows: their permissions, actions, credentials and triggers, and the linter's result."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.stack_config import SECRET_KEYS
from stack.local.deploy import stack_config
from tests.support.checkout import ROOT

GITHUB = ROOT / ".github"
FILES = sorted(GITHUB.rglob("*.yml"))
WORKFLOWS = {
    path.stem: yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    for path in (GITHUB / "workflows").glob("*.yml")
}
JOBS = {
    f"{name}/{key}": job
    for name, workflow in WORKFLOWS.items()
    for key, job in workflow["jobs"].items()
}
SETUP = yaml.load(
    (GITHUB / "actions/setup/action.yml").read_text(encoding="utf-8"), Loader=yaml.BaseLoader
)
TRUSTED = {
    "actions/checkout",
    "actions/setup-python",
    "actions/upload-artifact",
    "aws-actions/configure-aws-credentials",
    "pulumi/actions",
}
CLOUD = {
    "preview/preview",
    "deploy/deploy",
    "environment/up",
    "environment/down",
    "environment/sweep",
}
SAME_REPOSITORY = "github.event.pull_request.head.repo.full_name == github.repository"


def steps(job: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from job["steps"]


def every_step() -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield from (("setup", step) for step in SETUP["runs"]["steps"])
    yield from ((name, step) for name, job in JOBS.items() for step in steps(job))


def variables(name: str) -> dict[str, str]:
    """Return the variables of all steps of a job."""
    workflow = WORKFLOWS[name.partition("/")[0]]
    found = dict(workflow.get("env", {})) | dict(JOBS[name].get("env", {}))
    for step in steps(JOBS[name]):
        found |= step.get("env", {})
    return found


def test_the_set_of_workflows() -> None:
    assert WORKFLOWS.keys() == {"test", "report", "comment", "preview", "deploy", "environment"}


def test_the_linter_finds_nothing() -> None:
    linted = subprocess.run(
        [
            Path(sys.executable).parent / "zizmor",
            "--offline",
            "--persona=auditor",
            "--color=never",
            str(GITHUB),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert linted.returncode == 0, linted.stdout + linted.stderr
    assert "(1 ignored)" in linted.stdout + linted.stderr, "the exception in comment.yml only"


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name)
def test_an_action_is_pinned_by_its_full_hash_with_a_comment_on_its_version(file: Path) -> None:
    for use in re.findall(r"uses: (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE):
        if not use.startswith("$/"):
            action, _, pin = use.partition("@")
            assert action in TRUSTED, f"{action} is not a trusted action"
            assert re.fullmatch(r"[0-9a-f]{40} # v\d+\.\d+\.\d+", pin), use


def test_one_action_has_one_version() -> None:
    pins = {
        use
        for file in FILES
        for use in re.findall(r"uses: ([^$\s]\S+@\S+)", file.read_text(encoding="utf-8"))
    }
    assert len(pins) == len({pin.partition("@")[0] for pin in pins})


def test_permissions_are_given_to_jobs_only_each_with_a_reason() -> None:
    for name, workflow in WORKFLOWS.items():
        assert workflow["permissions"] == {}, name
    writes = {
        name: {key for key, value in job["permissions"].items() if value == "write"}
        for name, job in JOBS.items()
    }
    assert {name: found for name, found in writes.items() if found} == {
        "comment/comment": {"pull-requests"},
        **{name: {"id-token"} for name in CLOUD},
    }
    for file in (GITHUB / "workflows").glob("*.yml"):
        for line in re.findall(
            r"^ +(?:contents|actions|pull-requests|id-token): \w+.*$",
            file.read_text(encoding="utf-8"),
            re.MULTILINE,
        ):
            assert " # to " in line, f"{file.name}: {line.strip()}"


def test_no_trigger_runs_code_of_a_fork_with_a_token_that_may_write() -> None:
    triggers = {name: set(workflow["on"]) for name, workflow in WORKFLOWS.items()}
    assert not [
        name for name, found in triggers.items() if found & {"pull_request_target", "issue_comment"}
    ]
    assert [name for name, found in triggers.items() if "workflow_run" in found] == ["comment"]
    (checkout, run) = steps(JOBS["comment/comment"])
    assert checkout["with"]["ref"] == "${{ github.event.repository.default_branch }}"
    assert run["run"] == "python3 -m stack.report.comment"
    assert not [
        step
        for step in steps(JOBS["comment/comment"])
        if "download-artifact" in step.get("uses", "")
    ]


def test_the_linters_exception_has_a_reason() -> None:
    text = (GITHUB / "workflows/comment.yml").read_text(encoding="utf-8")
    assert re.search(r"# zizmor: ignore\[dangerous-triggers\] \w+.{50}", text)
    assert sum("zizmor: ignore" in file.read_text(encoding="utf-8") for file in FILES) == 1


def test_jobs_that_need_no_credentials_have_none() -> None:
    for name in ("test/test", "report/report"):
        assert "secrets." not in json.dumps(JOBS[name])
        assert JOBS[name]["permissions"] == {"contents": "read"}
        assert "environment" not in JOBS[name]


def test_a_preview_has_no_credentials_that_can_change_anything() -> None:
    job = JOBS["preview/preview"]
    assert SAME_REPOSITORY in job["if"]
    assert job["environment"] == "production-preview"
    found = variables("preview/preview")
    assert found["NEON_API_KEY"] == "placeholder"
    assert re.fullmatch(r"[a-z0-9]{24}", found["VERCEL_API_TOKEN"]), (
        "Vercel's provider requires this form"
    )
    assert {name for name, value in found.items() if "secrets." in value} == {
        "PULUMI_CONFIG_PASSPHRASE"
    }
    (run,) = [step["run"] for step in steps(job) if "run" in step]
    assert run == "pulumi preview --stack prod --non-interactive --refresh=false"


def test_production_is_deployed_from_main_one_update_at_a_time_with_a_timeout() -> None:
    workflow, job = WORKFLOWS["deploy"], JOBS["deploy/deploy"]
    assert workflow["on"] == {"push": {"branches": ["main"]}}
    assert workflow["concurrency"] == {"group": "deploy-prod", "cancel-in-progress": "false"}
    (step,) = [step for step in steps(job) if "pulumi up" in step.get("run", "")]
    assert int(step["timeout-minutes"]) < int(job["timeout-minutes"]) <= 60, (
        "the role's session lasts an hour"
    )


def test_an_environment_follows_the_label_and_the_pull_request_of_a_branch() -> None:
    assert set(WORKFLOWS["environment"]["on"]["pull_request"]["types"]) == {
        "labeled",
        "unlabeled",
        "synchronize",
        "reopened",
        "closed",
    }
    assert WORKFLOWS["environment"]["on"]["schedule"]
    for name in ("up", "down"):
        job = JOBS[f"environment/{name}"]
        assert SAME_REPOSITORY in job["if"]
        assert job["concurrency"] == {
            "group": "environment-pr-${{ github.event.pull_request.number }}",
            "cancel-in-progress": "false",
        }
    assert (
        "contains(github.event.pull_request.labels.*.name, 'environment')"
        in JOBS["environment/up"]["if"]
    )
    runs = [
        step["run"]
        for name in ("up", "down", "sweep")
        for step in steps(JOBS[f"environment/{name}"])
        if "run" in step
    ]
    assert runs == [
        f".venv/bin/python scripts/environments.py {what}"
        for what in ('up "$STACK"', 'down "$STACK"', "sweep")
    ]


def test_runs_of_dependabot_get_no_secrets_and_are_skipped_with_a_message() -> None:
    other = "github.actor != 'dependabot[bot]'"
    for name in ("environment/up", "environment/down", "preview/preview"):
        assert JOBS[name]["if"].endswith(f"&& {other}"), name
    job = JOBS["environment/dependabot"]
    assert job["if"].endswith(f"&& !({other})")
    assert job["permissions"] == {}
    assert "secrets." not in json.dumps(job)
    (step,) = steps(job)
    assert "::notice::Runs that Dependabot starts get no secrets" in step["run"]


def test_every_use_of_an_action_of_this_repository_names_the_runner_that_it_needs() -> None:
    uses = [
        line
        for file in FILES
        for line in file.read_text(encoding="utf-8").splitlines()
        if "uses: $/" in line
    ]
    assert len(uses) >= 5
    assert all(line.endswith("# of this repository: needs runner 2.336 or newer") for line in uses)
    document = (ROOT / "docs/pull-requests.md").read_text(encoding="utf-8")
    assert "runners of your own need version 2.336 or newer" in document


def test_removing_an_environment_runs_no_code_of_the_head() -> None:
    checkout = next(steps(JOBS["environment/down"]))
    assert checkout["with"]["ref"] == "${{ github.event.pull_request.base.sha }}"


def test_jobs_with_credentials_use_their_own_github_environments() -> None:
    names = {name: job["environment"] for name, job in JOBS.items() if "environment" in job}
    assert names.keys() == CLOUD
    named = {name: env if isinstance(env, str) else env["name"] for name, env in names.items()}
    assert named["preview/preview"] == "production-preview"
    assert named["deploy/deploy"] == "production"
    assert {named[name] for name in CLOUD if name.startswith("environment/")} == {"pull-request"}


@pytest.mark.parametrize("name", sorted(CLOUD))
def test_aws_credentials_come_from_a_role_and_never_from_an_access_key(name: str) -> None:
    (step,) = [
        step for step in steps(JOBS[name]) if step.get("uses", "").startswith("aws-actions/")
    ]
    assert step["with"]["role-to-assume"] == "${{ vars.AWS_ROLE }}"
    assert not [
        key
        for key in (*variables(name), *step["with"])
        if "ACCESS_KEY" in key.upper() or "access-key" in key
    ]
    assert variables(name)["GITHUB_TOKEN"] == "${{ github.token }}", (
        "plugins are downloaded from GitHub"
    )
    assert "vars.DEPLOYS == 'true'" in JOBS[name]["if"], "a fork without accounts runs no such job"


@pytest.mark.parametrize("name", JOBS)
def test_a_job_has_a_timeout_and_leaves_no_credentials_in_the_checkout(name: str) -> None:
    assert int(JOBS[name]["timeout-minutes"]) <= 120
    checkouts = [
        step for step in steps(JOBS[name]) if step.get("uses", "").startswith("actions/checkout@")
    ]
    expected = [] if name == "environment/dependabot" else ["false"]
    assert [step["with"]["persist-credentials"] for step in checkouts] == expected
    assert JOBS[name]["runs-on"] == "ubuntu-24.04"


def test_no_shell_command_holds_an_expression() -> None:
    assert [
        (name, step["run"]) for name, step in every_step() if "${{" in step.get("run", "")
    ] == []


def test_newer_runs_cancel_reports_and_previews_but_no_update() -> None:
    for name in ("report", "preview", "comment"):
        assert WORKFLOWS[name]["concurrency"]["cancel-in-progress"] == "true"
    assert JOBS["environment/sweep"]["concurrency"]["cancel-in-progress"] == "false"


def test_the_pulumi_cli_has_the_version_of_the_sdk() -> None:
    (version,) = [
        step["with"]["pulumi-version"]
        for step in SETUP["runs"]["steps"]
        if "pulumi-version" in step.get("with", {})
    ]
    assert f"pulumi=={version}\n" in (ROOT / "requirements/all.in").read_text(encoding="utf-8")


def test_the_python_version_is_that_of_the_function_for_its_bytecode() -> None:
    (version,) = [
        step["with"]["python-version"]
        for step in SETUP["runs"]["steps"]
        if "python-version" in step.get("with", {})
    ]
    assert (
        version
        == stack_config.load(ROOT, "prod", config_overrides={}, read_local_file=False).config[
            "ai-success-insights:python"
        ]
    )


def texts(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else value


def test_the_trust_policy_names_one_environment_of_one_repository_without_wildcards() -> None:
    policy = json.loads((ROOT / "docs/github-trust-policy.json").read_text(encoding="utf-8"))
    for statement in policy["Statement"]:
        assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
        (condition,) = statement["Condition"].items()
        assert condition[0] == "StringEquals", "StringLike would accept a pattern"
        subject = condition[1]["token.actions.githubusercontent.com:sub"]
        assert subject == "repo:REPOSITORY:environment:ENVIRONMENT"
        assert condition[1]["token.actions.githubusercontent.com:aud"] == "sts.amazonaws.com"
        assert "*" not in json.dumps(statement)


def test_the_role_of_previews_may_only_read_the_state() -> None:
    policy = json.loads((ROOT / "docs/preview-policy.json").read_text(encoding="utf-8"))
    actions = {action for statement in policy["Statement"] for action in texts(statement["Action"])}
    assert actions == {"s3:GetObject", "s3:ListBucket"}
    assert {statement["Resource"].partition("/")[0] for statement in policy["Statement"]} == {
        "arn:aws:s3:::STATE_BUCKET"
    }


def test_the_preview_template_has_no_secret_and_no_host_without_the_stacks_name() -> None:
    template = (ROOT / "Pulumi.preview.yaml").read_text(encoding="utf-8")
    config = yaml.safe_load(template)["config"]
    assert not [key for key in config if key.partition(":")[2] in SECRET_KEYS]
    assert "ai-success-insights:siteDomain: yourcompany-{stack}-success.vercel.app" in template, (
        "the example to uncomment"
    )
