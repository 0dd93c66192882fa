"""`stack pulumi`: Pulumi's own engine against the local cloud."""

import argparse
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cli.arguments import PulumiArguments
from cli.commands import FAILED, INTERRUPTED
from cli.up import events, launch, without_credentials
from components.errors import UserError
from local import control
from local.engine.workspace import Workspace
from local.home import Home, holder

MISSING = 3
ANSWERS_S = 60.0
HOW_TO_INSTALL = (
    "`pulumi` is not on the PATH: install it as https://www.pulumi.com/docs/iac/download-install/ says, "
    "with `curl -fsSL https://get.pulumi.com | sh` or `brew install pulumi`, and run this again"
)
WHERE_TO_CONFIGURE = (
    "on this machine the configuration is read from Pulumi.local.yaml, then Pulumi.<stack>.yaml, then .local/config.yaml, "
    "which may hold secrets: write it there"
)


def pulumi(options: argparse.Namespace) -> int:
    """Run the CLI. What it calls a failure, whatever its code, is 1 here: 3 and 4 say something else."""
    given = PulumiArguments.parse(options.arguments)
    program = shutil.which("pulumi")
    if program is None:
        print(f"error: {HOW_TO_INSTALL}", file=sys.stderr)
        return MISSING
    if given.writes_configuration:
        raise UserError(WHERE_TO_CONFIGURE)
    home = Home(options.root)
    home.make()
    workspace = Workspace(home)
    workspace.make()
    for pid in workspace.unlock(given.stack):
        _say(f"The lock of process {pid}, which was killed, has been removed.")
    cli = _Cli(program, workspace, given.stack)
    if given.deploys:
        provided = _provided(home, given.stack, frontend=given.frontend)
        cli.attach(provided, create=given.creates)
    code = cli.run(given.arguments)
    if given.removes and code == 0:
        workspace.forget(given.stack)
        control.ask(home.socket, {"do": "forget", "stack": given.stack})
    return code


@dataclass
class _Cli:
    program: str
    workspace: Workspace
    stack: str
    port: int | None = None

    def attach(self, provided: Mapping[str, Any], *, create: bool) -> None:
        """Configure the stack, which is made when it is not there and the command is one that begins with nothing."""
        self.port = provided["port"]
        secrets = self.workspace.configure(self.stack, provided["supplied"])
        if create and not self.workspace.has(self.stack):
            self._quietly(["stack", "init", self.stack])
        for key, value in secrets.items() if self.workspace.has(self.stack) else ():
            self._quietly(["config", "set", "--secret", key], given=value)

    def run(self, arguments: Sequence[str]) -> int:
        process = subprocess.Popen([*self._command, *arguments], env=self._environment)

        def hand_on(_number: int, _frame: object) -> None:
            process.terminate()

        signal.signal(signal.SIGTERM, hand_on)
        while True:
            try:
                code = process.wait()
                break
            except KeyboardInterrupt:  # the terminal has told the CLI too, which ends in good order
                continue
        return INTERRUPTED if code == -signal.SIGINT else FAILED if code else 0

    def _quietly(self, arguments: Sequence[str], given: str = "") -> None:
        command = [*self._command, *arguments, "--non-interactive"]
        done = subprocess.run(command, env=self._environment, input=given, capture_output=True, text=True, check=False)
        if done.returncode:
            raise UserError(f"`pulumi {' '.join(arguments[:2])}` failed: {done.stderr.strip() or done.stdout.strip()}")

    @property
    def _command(self) -> list[str]:
        return [self.program, "-C", str(self.workspace.project_directory)]

    @property
    def _environment(self) -> dict[str, str]:
        return {**self.workspace.environment(without_credentials(), port=self.port), "PULUMI_STACK": self.stack}


def _provided(home: Home, stack: str, *, frontend: bool) -> Mapping[str, Any]:
    """What the local cloud answers; it is started when it does not run."""
    if holder(home.lock) is None:
        _start(home, frontend=frontend)
    deadline = time.monotonic() + ANSWERS_S
    while (answer := control.ask(home.socket, {"do": "provide", "stack": stack})) is None or not {"port", "error"} & answer.keys():
        if holder(home.lock) is None or time.monotonic() > deadline:
            raise UserError(f"the local cloud does not answer: see {home.log}")
        time.sleep(0.1)
    if "error" in answer:
        raise UserError(answer["error"])
    return answer


def _start(home: Home, *, frontend: bool) -> None:
    process = launch(home, ["--no-evaluation", *([] if frontend else ["--no-frontend"])], attached=False)
    for event in events(process.stdout):
        match event["kind"]:
            case "ready":
                _say("The local cloud runs from now on, and what is made in it answers: `stack status`, `stack logs`, `stack down`.")
                return
            case "error":
                raise UserError(event["text"])
            case "message":
                _say(event["text"])
            case _:
                pass
    raise UserError(f"the local cloud has ended: see {home.log}")


def _say(text: str) -> None:
    """Beside what the CLI prints, which may be read by a program."""
    print(text, file=sys.stderr, flush=True)
