"""Creates and removes the environments of pull requests: stacks `pr-N` with sample data.

    python scripts/environments.py up pr-7 | down pr-7 | sweep [--dry-run]

They have the configuration of `Pulumi.preview.yaml`. The script runs the `pulumi` on the PATH, with
the state, passphrase and tokens of its environment; `sweep` asks `gh` for the open pull requests.
"""

import argparse
import datetime
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

TEMPLATE = "preview"
LABEL = "environment"
STACK = re.compile(r"pr-([0-9]+)")
EXPIRES_AFTER = datetime.timedelta(days=7)
"""Time since the last update after which an environment is removed.

A push, or the label again, creates it again.
"""
SAMPLES = "/ingest/generate-mock?count=20&seed=1"  # the same seed adds nothing twice
ATTEMPTS = 5


def pulumi(*arguments: str, quiet: bool = False) -> str:
    """Run a command and return its standard output. Errors go to the terminal, unless `quiet`."""
    command = ["pulumi", *arguments, "--non-interactive"]
    return subprocess.run(
        command,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        stderr=subprocess.DEVNULL if quiet else None,
    ).stdout


def update(*arguments: str) -> None:
    """Run a command that changes a stack, with its output on the terminal."""
    subprocess.run(["pulumi", *arguments, "--yes", "--non-interactive"], check=True)


def exists(stack: str) -> bool:
    """Return whether there is a stack of that name."""
    return stack in {found["name"] for found in stacks()}


def stacks() -> list[Mapping[str, Any]]:
    """Return the stacks of the project, as `pulumi stack ls --json` prints them."""
    return json.loads(pulumi("stack", "ls", "--json"))


def up(stack: str) -> int:
    """Create or update a stack, with the configuration of this checkout's template."""
    pulumi("stack", "select", TEMPLATE, "--create")
    if exists(stack):
        pulumi("config", "cp", "--stack", TEMPLATE, "--dest", stack)
    else:
        pulumi("stack", "init", stack, "--copy-config-from", TEMPLATE)
    update("up", "--stack", stack)
    outputs = json.loads(pulumi("stack", "output", "--json", "--stack", stack))
    config = json.loads(pulumi("config", "--json", "--stack", stack))
    branched = any(
        key.endswith(":databaseBranchOf") and item.get("value") for key, item in config.items()
    )
    if not branched:  # a branch has its parent's data
        add_samples(outputs["api_url"])
    set_output(f"site={outputs['frontend_url']}")
    return 0


def add_samples(api_url: str) -> None:
    """Add the sample accounts, unless the API requires a key, which this script does not have."""
    failure = ""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            request = urllib.request.Request(f"{api_url}{SAMPLES}", method="POST")  # noqa: S310 - the stack's own output
            with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
                sys.stdout.write(f"sample accounts: {response.read().decode()}\n")
            return
        except urllib.error.HTTPError as error:
            if error.code in (401, 403):
                sys.stdout.write("the API requires a key: no sample accounts\n")
                return
            failure = str(error.code)
        except OSError as error:
            failure = str(error)
        time.sleep(attempt)
    if failure == "404":
        sys.stdout.write("the API has no sample accounts\n")
        return
    raise SystemExit(f"{api_url}{SAMPLES} failed {ATTEMPTS} times, at last with {failure}")


def set_output(line: str) -> None:
    """Print `name=value`, and in a workflow make it an output of the step."""
    if file := os.environ.get("GITHUB_OUTPUT"):
        with Path(file).open("a", encoding="utf-8") as outputs:
            outputs.write(f"{line}\n")
    sys.stdout.write(f"{line}\n")


def down(stack: str) -> int:
    """Destroy and remove a stack if it exists.

    The state lists what to destroy, so the program does not run and no configuration is needed.
    """
    if exists(stack):
        update("destroy", "--stack", stack, "--remove")
    return 0


def sweep(*, dry_run: bool) -> int:
    """Remove the stacks without an open, labelled pull request, and those that have expired.

    Returns 1 if one could not be removed; the others are removed all the same.
    """
    listed = subprocess.run(
        [
            "gh",
            "pr",
            "list",
            "--state",
            "open",
            "--label",
            LABEL,
            "--limit",
            "1000",
            "--json",
            "number",
        ],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    wanted = {int(item["number"]) for item in json.loads(listed.stdout)}
    now = datetime.datetime.now(datetime.UTC)
    failed = False
    for stack in stacks():
        reason = leftover(stack, wanted, now)
        if reason is None:
            continue
        sys.stdout.write(f"{stack['name']}: {reason}\n")
        sys.stdout.flush()
        try:
            if not dry_run:
                down(stack["name"])
        except subprocess.CalledProcessError:
            sys.stderr.write(f"{stack['name']} could not be removed\n")
            failed = True
    return int(failed)


def leftover(
    stack: Mapping[str, Any], wanted: Collection[int], now: datetime.datetime
) -> str | None:
    """Return why a stack is to be removed, or None.

    wanted: numbers of the open pull requests with the label. A stack that is not named like one of
    a pull request always stays.
    """
    found = STACK.fullmatch(stack["name"])
    if found is None:
        return None
    if int(found[1]) not in wanted:
        return f"its pull request is closed, or has no label {LABEL!r}"
    updated = stack.get("lastUpdate")
    if updated and now - datetime.datetime.fromisoformat(updated) > EXPIRES_AFTER:
        return f"last updated {updated}, more than {EXPIRES_AFTER.days} days ago"
    return None


def stack_name(name: str) -> str:
    """Check an argument: only stacks of pull requests may be changed here."""
    if not STACK.fullmatch(name):
        raise argparse.ArgumentTypeError(f"{name!r} is no pull request's stack, such as pr-7")
    return name


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="environments.py")
    actions = parser.add_subparsers(dest="action", required=True)
    for name in ("up", "down"):
        actions.add_parser(name).add_argument("stack", type=stack_name)
    actions.add_parser("sweep").add_argument("--dry-run", action="store_true", help="list only")
    options = parser.parse_args(arguments)
    try:
        if options.action == "sweep":
            return sweep(dry_run=options.dry_run)
        return up(options.stack) if options.action == "up" else down(options.stack)
    except subprocess.CalledProcessError as error:
        sys.stderr.write(f"`{' '.join(error.cmd[:3])} …` ended with {error.returncode}\n")
        return 1
    except FileNotFoundError as error:
        sys.stderr.write(f"{error.filename} is not on the PATH\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
