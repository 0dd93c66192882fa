"""`stack up`: starts the supervisor and shows what it does."""

import argparse
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from cli.progress import Progress, progress
from local.home import Home

DIED = 1
# What a cloud would be reached with: nothing here needs it, and nothing here may use it.
CREDENTIALS = ("AWS_", "NEON_", "VERCEL_", "PULUMI_", "OPENAI_")


def up(options: argparse.Namespace) -> int:
    """Run the supervisor until it ends, or with `--detach` until the stack answers."""
    home = Home(options.root)
    home.make()
    with home.log.open("ab") as log:
        process = subprocess.Popen(
            _command(options),
            stdin=subprocess.DEVNULL if options.detach else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=options.root,
            env=_environment(),
            start_new_session=True,
        )
    with progress(options) as shown:
        return _follow(process, shown, detach=options.detach)


def _follow(process: subprocess.Popen[bytes], shown: Progress, *, detach: bool) -> int:
    assert process.stdout is not None
    interrupted = False
    while True:
        try:
            for event in _events(process.stdout):
                shown.show(event)
                if event["kind"] == "ready" and detach:
                    return 0
            break
        except KeyboardInterrupt:
            interrupted = True
            shown.say("Stopping …")
            process.send_signal(signal.SIGTERM)
    code = process.wait()
    if code < 0 and not interrupted:
        shown.say(f"the local cloud was ended by signal {-code}: its data is safe, `stack up` goes on from there")
        return DIED
    return code


def _events(stream: Any) -> Iterator[Mapping[str, Any]]:
    for line in stream:
        try:
            yield json.loads(line)
        except ValueError:
            sys.stderr.write(line.decode(errors="replace"))


def _command(options: argparse.Namespace) -> list[str]:
    command = [sys.executable, "-m", "local.supervisor", "--root", str(options.root)]
    command += [] if options.port is None else ["--port", str(options.port)]
    command += [] if options.detach else ["--attached"]
    flags = {"--no-frontend": not options.frontend, "--watch": options.watch, "--no-freeze": not options.freeze}
    flags["--strict-concurrency"] = options.strict_concurrency
    return command + [flag for flag, chosen in flags.items() if chosen]


def _environment() -> dict[str, str]:
    unwanted = ("PYTHONDONTWRITEBYTECODE", "STACK_LOCAL_CLOUD")
    return {name: value for name, value in os.environ.items() if not name.startswith(CREDENTIALS) and name not in unwanted}
