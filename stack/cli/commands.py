"""The commands beside `up`. What can be read from files is read without the supervisor."""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from common.errors import UserError
from stack.cli.plain import plain
from stack.local.cloudwatch.logs import LogStore
from stack.local.daemon import client, control
from stack.local.system.paths import Home, holder

FAILED, NOT_RUNNING, INTERRUPTED = 1, 4, 130


def checkout() -> Path:
    """The checkout whose environment this command is installed in."""
    return Path(__file__).resolve().parents[2]


def down(options: argparse.Namespace) -> int:
    home = Home(options.root)
    print("stopped" if client.stop(home) else "nothing runs")
    return 0


def status(options: argparse.Namespace) -> int:
    home = Home(options.root)
    pid = holder(home.lock)
    if pid is None:
        print("nothing runs: `stack up` starts it")
        return NOT_RUNNING
    answer = control.ask(home.socket, {"do": "status"})
    if answer is None:
        print(f"process {pid} is starting or stopping")
        return 0
    how = "answers" if answer["ready"] else "is coming up"
    print(
        f"{'stack ' + answer['stack'] if answer['stack'] else 'the local cloud'} {how} (process {pid}, for {answer['seconds']} s)"
    )
    for name in ("api_url", "frontend_url") if answer["ready"] and answer["stack"] else ():
        print(f"{name:<13} {_read_outputs(home)[name]}")
    for stack, address in answer["stacks"].items():
        if stack != answer["stack"]:
            print(f"stack {stack:<7} {address}")
    return 0


def outputs(options: argparse.Namespace) -> int:
    home = Home(options.root)
    found = _read_outputs(home)
    hidden = () if options.show_secrets else json.loads(home.secret_outputs.read_text())
    shown = {name: "[secret]" if name in hidden else value for name, value in found.items()}
    if options.name is not None:
        if options.name not in shown:
            raise UserError(f"there is no output {options.name!r}; there are {', '.join(shown)}")
        value = shown[options.name]
        print(json.dumps(value) if options.json else plain(value))
    elif options.json:
        print(json.dumps(shown, indent=2))
    else:
        width = max(map(len, shown))
        print("\n".join(f"{name:<{width}}  {plain(value)}" for name, value in shown.items()))
    return 0


def _read_outputs(home: Home) -> Mapping[str, Any]:
    try:
        return json.loads(home.outputs.read_text())
    except FileNotFoundError:
        raise UserError("there are no outputs yet: `stack up` makes them") from None


def logs(options: argparse.Namespace) -> int:
    store = LogStore(Home(options.root).path / "logs")
    with contextlib.suppress(KeyboardInterrupt):
        for record in store.follow() if options.follow else store.records():
            print(f"{record.group}  {record}", flush=options.follow)
    return 0


def reset(options: argparse.Namespace) -> int:
    home = Home(options.root)
    if not home.path.exists():
        print("there is nothing to delete")
        return 0
    if not options.yes and not _agreed(home):
        print("nothing was deleted")
        return FAILED
    client.stop(home)
    from stack.local.lambda_.packages import remove
    from stack.local.neon.postgres.server import Postgres

    Postgres.remove(home.path / "postgres")
    remove(home.path)
    if home.socket.parent != home.path:
        shutil.rmtree(home.socket.parent, ignore_errors=True)
    print(f"deleted {home.path}")
    return 0


def _agreed(home: Home) -> bool:
    if not sys.stdin.isatty():
        raise UserError(
            "`stack reset` asks before it deletes the local database; without a terminal add --yes"
        )
    return input(
        f"Delete {home.path} with the local database and its logs? [y/N] "
    ).strip().lower() in ("y", "yes")


def psql(options: argparse.Namespace) -> int:
    home = Home(options.root)
    if holder(home.lock) is None:
        print("the database does not run: `stack up` starts it", file=sys.stderr)
        return NOT_RUNNING
    from stack.local.neon.postgres.data_directory import programs

    address = urlsplit(_read_outputs(home)["direct_database_url"])
    variables = {
        "PGHOST": address.hostname or "",
        "PGPORT": str(address.port),
        "PGUSER": unquote(address.username or ""),
        "PGPASSWORD": unquote(
            address.password or ""
        ),  # the list of processes does not show it there
        "PGDATABASE": unquote(address.path[1:]),
    }
    return subprocess.run(
        [programs() / "psql", *options.arguments], env={**os.environ, **variables}, check=False
    ).returncode
