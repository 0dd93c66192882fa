"""Environments of pull requests: stacks `pr-N` made from `Pulumi.preview.yaml`, filled with sample data, and removed again.

    python scripts/environments.py up pr-7 | down pr-7 | sweep [--dry-run]

The `pulumi` on the PATH does it, with the state, passphrase and tokens of its environment; `sweep` asks `gh` which pull requests are open.
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
"""Since the last update: a pull request that nobody works on loses its environment. A push, or the label again, makes it anew."""
SAMPLES = "/ingest/generate-mock?count=20&seed=1"  # the same seed adds nothing twice
ATTEMPTS = 5


def pulumi(*arguments: str, quiet: bool = False) -> str:
    """Its standard output. What it says of its work goes to the terminal, unless `quiet`."""
    command = ["pulumi", *arguments, "--non-interactive"]
    return subprocess.run(
        command,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        stderr=subprocess.DEVNULL if quiet else None,
    ).stdout


def update(*arguments: str) -> None:
    subprocess.run(["pulumi", *arguments, "--yes", "--non-interactive"], check=True)


def exists(stack: str) -> bool:
    return stack in {found["name"] for found in stacks()}


def stacks() -> list[Mapping[str, Any]]:
    return json.loads(pulumi("stack", "ls", "--json"))


def up(stack: str) -> int:
    """Each time with the template's configuration as it is in this checkout."""
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
        fill(outputs["api_url"])
    tell(f"site={outputs['frontend_url']}")
    return 0


def fill(api_url: str) -> None:
    """Add the sample accounts; where the API asks for a key there are none to be had here."""
    failure = ""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            request = urllib.request.Request(f"{api_url}{SAMPLES}", method="POST")  # noqa: S310 - the stack's own output
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                sys.stdout.write(f"sample accounts: {answer.read().decode()}\n")
            return
        except urllib.error.HTTPError as error:
            if error.code in (401, 403):
                sys.stdout.write("the API asks for a key: no sample accounts\n")
                return
            failure = str(error.code)
        except OSError as error:
            failure = str(error)
        time.sleep(attempt)
    raise SystemExit(f"{api_url}{SAMPLES} answers {failure}, {ATTEMPTS} times")


def tell(line: str) -> None:
    """An output of the workflow's step."""
    if file := os.environ.get("GITHUB_OUTPUT"):
        with Path(file).open("a", encoding="utf-8") as outputs:
            outputs.write(f"{line}\n")
    sys.stdout.write(f"{line}\n")


def down(stack: str) -> int:
    """Nothing to do where there is no such stack. The state knows what to destroy: no program is run, and no configuration is needed."""
    if exists(stack):
        update("destroy", "--stack", stack, "--remove")
    return 0


def sweep(*, dry_run: bool) -> int:
    """1 when one could not be removed; the others are."""
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
    """Why a stack is to go, None for one that stays: any that is not a pull request's, above all."""
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
