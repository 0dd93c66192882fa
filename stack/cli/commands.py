"""The commands without a module of their own. Outputs and logs are read from files."""

import argparse
import contextlib
import json
import re
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from common.errors import UserError
from stack.cli.plain import plain
from stack.local.cloudwatch.logs import LogStore
from stack.local.daemon import client
from stack.local.system.paths import LocalPaths

FAILED, NOT_RUNNING, INTERRUPTED = 1, 4, 130
FOLLOWED_LINES = 20
"""What `stack logs -f` begins with, in records."""
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
SHOWN = 100
"""Characters of a schedule's last result in a list."""


def checkout() -> Path:
    """Return the checkout whose environment this command is installed in."""
    return Path(__file__).resolve().parents[2]


def down(options: argparse.Namespace) -> int:
    """`stack down`."""
    paths = LocalPaths(options.root)
    print("stopped" if client.stop(paths) else "nothing runs")
    return 0


def status(options: argparse.Namespace) -> int:
    """`stack status`: what runs, and its addresses."""
    paths = LocalPaths(options.root)
    pid = client.supervisor_pid(paths)
    if pid is None:
        print("nothing runs: `stack up` starts it")
        return NOT_RUNNING
    found = client.status(paths)
    if found is None:
        print(f"process {pid} is starting or stopping")
        return 0
    what = f"stack {found['stack']}" if found["stack"] else "the local cloud"
    how = "answers" if found["ready"] else "is coming up"
    print(f"{what} {how} (process {pid}, for {found['seconds']} s)")
    for name in ("api_url", "frontend_url") if found["ready"] and found["stack"] else ():
        print(f"{name:<13} {_read_outputs(paths)[name]}")
    for stack, address in found["stacks"].items():
        if stack != found["stack"]:
            print(f"stack {stack:<7} {address}")
    _print_schedules(found["schedules"])
    return 0


def invoke(options: argparse.Namespace) -> int:
    """`stack invoke schedule`: invokes a schedule's target now, or lists the schedules."""
    paths = LocalPaths(options.root)
    if client.supervisor_pid(paths) is None:
        print("nothing runs: `stack up` starts it", file=sys.stderr)
        return NOT_RUNNING
    if options.name is None:
        found = client.status(paths)
        if found is None:
            raise UserError("the local cloud is starting or stopping")
        _print_schedules(found["schedules"])
        return 0
    text, done = client.invoke_schedule(paths, options.name)
    if not done:
        raise UserError(f"{text}. Its log: `stack logs`")
    print(text)
    return 0


def _print_schedules(schedules: Sequence[Mapping[str, Any]]) -> None:
    for schedule in schedules:
        last = schedule["last"]
        ran = (
            f"last {last['at']} {last['status']} {last['result'][:SHOWN]}"
            if last
            else "has not run yet"
        )
        print(f"schedule {schedule['name']}  next {schedule['next'] or 'never'}  {ran}".rstrip())


def outputs(options: argparse.Namespace) -> int:
    """`stack outputs`: all outputs, or the bare value of one."""
    paths = LocalPaths(options.root)
    found = _read_outputs(paths)
    masked = () if options.show_secrets else json.loads(paths.secret_outputs.read_text())
    shown = {name: "[secret]" if name in masked else value for name, value in found.items()}
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


def _read_outputs(paths: LocalPaths) -> Mapping[str, Any]:
    try:
        return json.loads(paths.outputs.read_text())
    except FileNotFoundError:
        raise UserError("there are no outputs yet: `stack up` creates them") from None


def logs(options: argparse.Namespace) -> int:
    """`stack logs`: the records of all log groups, in the order of their time."""
    store = LogStore(LocalPaths(options.root).directory / "logs")
    last = options.tail
    if last is None and options.follow and options.since is None:
        last = FOLLOWED_LINES
    read = store.follow if options.follow else store.records
    with contextlib.suppress(KeyboardInterrupt):
        for record in read(since=options.since, last=None if last == "all" else last):
            print(f"{record.group}  {record}", flush=options.follow)
    return 0


def number_of_records(text: str) -> int | str:
    """Return the value of `--tail`, as of `docker logs`: a number, or "all"."""
    if text != "all" and not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number, and not `all`")
    return text if text == "all" else int(text)


def time_of_records(text: str) -> float:
    """Return the value of `--since`, as of `docker logs`: an age, or a time."""
    if re.fullmatch(r"(\d+(\.\d+)?(ms|[smhd]))+", text):
        parts = re.findall(r"([\d.]+)(ms|[smhd])", text)
        return time.time() - sum(float(number) * _SECONDS[unit] for number, unit in parts)
    try:
        # A time without an offset is that of this machine's time zone.
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not an age as 90s, 10m, 1h30m or 2d, and not a time as 2026-12-01T08:30Z"
        ) from None


def reset(options: argparse.Namespace) -> int:
    """`stack reset`: deletes the local data after a question."""
    paths = LocalPaths(options.root)
    if not paths.directory.exists():
        print("there is nothing to delete")
        return 0
    if not options.yes and not _confirmed(paths):
        print("nothing was deleted")
        return FAILED
    client.delete(paths)
    print(f"deleted {paths.directory}")
    return 0


def _confirmed(paths: LocalPaths) -> bool:
    if not sys.stdin.isatty():
        raise UserError(
            "`stack reset` asks before it deletes the local database; without a terminal add --yes"
        )
    return input(
        f"Delete {paths.directory} with the local database and its logs? [y/N] "
    ).strip().lower() in ("y", "yes")


def migrate(options: argparse.Namespace) -> int:
    """`stack migrate`: applies the migrations that changed under `stack up --watch`."""
    paths = LocalPaths(options.root)
    if client.supervisor_pid(paths) is None:
        print("nothing runs: `stack up` applies the migrations", file=sys.stderr)
        return NOT_RUNNING
    print(client.migrate(paths))
    return 0


def psql(options: argparse.Namespace) -> int:
    """`stack psql`: a shell of the local database."""
    paths = LocalPaths(options.root)
    if client.supervisor_pid(paths) is None:
        print("the database does not run: `stack up` starts it", file=sys.stderr)
        return NOT_RUNNING
    return client.run_psql(_read_outputs(paths)["direct_database_url"], options.arguments)
