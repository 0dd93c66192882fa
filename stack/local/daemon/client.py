"""Starts the supervisor, sends it requests and stops it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from common.errors import UserError
from stack.local.daemon import control
from stack.local.system.paths import Home, holder

CREDENTIALS = ("AWS_", "NEON_", "VERCEL_", "PULUMI_", "OPENAI_")
"""Prefixes of variables with cloud credentials, which the local cloud must not use."""
STOP_TIMEOUT_S = 20.0
PROVIDER_TIMEOUT_S = 60.0


def launch(home: Home, flags: Sequence[str], *, attached: bool) -> subprocess.Popen[bytes]:
    """Start a supervisor in a session of its own; with `attached` it ends with this process.

    `events` reads its standard output.
    """
    home.make()
    command = [sys.executable, "-m", "stack.local.daemon.supervisor", "--root", str(home.root)]
    with home.log.open("ab") as log:
        return subprocess.Popen(
            [*command, *(["--attached"] if attached else []), *flags],
            stdin=subprocess.PIPE if attached else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=home.root,
            # The supervisor's children are other programs, so gRPC need not prepare for forks.
            env={**without_credentials(), "GRPC_ENABLE_FORK_SUPPORT": "0"},
            start_new_session=True,
        )


def events(lines: Iterable[bytes]) -> Iterator[Mapping[str, Any]]:
    """Yield the events of a supervisor's output (see `stack.local.system.events`)."""
    for line in lines:
        try:
            yield json.loads(line)
        except ValueError:
            sys.stderr.write(line.decode(errors="replace"))


def without_credentials() -> dict[str, str]:
    """Return this process's environment without the variables that the local cloud must not see."""
    unwanted = ("PYTHONDONTWRITEBYTECODE", "STACK_LOCAL_CLOUD")
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(CREDENTIALS) and name not in unwanted
    }


def stop(home: Home) -> bool:
    """Stop the supervisor; False when none runs.

    A supervisor that does not reply gets SIGTERM, then SIGKILL, after which its guard ends its
    children. Raises `UserError` when the process does not end.
    """
    pid = holder(home.lock)
    if pid is None:
        return False
    if control.ask(home.socket, {"do": "stop"}) is None and pid:
        _signal(pid, signal.SIGTERM)
    if not _wait_until_stopped(home, STOP_TIMEOUT_S):
        _signal(pid, signal.SIGKILL)
        if not _wait_until_stopped(home, STOP_TIMEOUT_S):
            raise UserError(f"process {pid} does not end: look at {home.log}")
    return True


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _wait_until_stopped(home: Home, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while holder(home.lock) is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def provider_address(
    home: Home, stack: str, *, frontend: bool, say: Callable[[str], None]
) -> Mapping[str, Any]:
    """Return the `port` of the gRPC provider, and the stack's `config_overrides`.

    Starts the local cloud when it does not run. Raises `UserError` with the reason when it cannot
    provide one. say: shows one line of text to the user.
    """
    if holder(home.lock) is None:
        _start_without_evaluation(home, frontend=frontend, say=say)
    deadline = time.monotonic() + PROVIDER_TIMEOUT_S
    while True:
        reply = control.ask(home.socket, {"do": "provide", "stack": stack})
        if reply is not None and "error" in reply:
            raise UserError(reply["error"])
        if reply is not None and "port" in reply:
            return reply
        if holder(home.lock) is None or time.monotonic() > deadline:
            raise UserError(f"the local cloud does not reply: see {home.log}")
        time.sleep(0.1)


def _start_without_evaluation(home: Home, *, frontend: bool, say: Callable[[str], None]) -> None:
    flags = ["--no-evaluation", *([] if frontend else ["--no-frontend"])]
    process = launch(home, flags, attached=False)
    assert process.stdout is not None
    for event in events(process.stdout):
        match event["kind"]:
            case "ready":
                say(
                    "The local cloud is running, and keeps running after this command: "
                    "`stack status`, `stack logs`, `stack down`."
                )
                return
            case "error":
                raise UserError(event["text"])
            case "message":
                say(event["text"])
            case _:  # other events concern an evaluation
                pass
    raise UserError(f"the local cloud has ended: see {home.log}")
