"""`stack pulumi`: Pulumi's own engine against the local cloud."""

import argparse
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from common.errors import UserError
from stack.cli.arguments import PulumiArguments
from stack.cli.commands import FAILED, INTERRUPTED
from stack.local.daemon import client, control
from stack.local.pulumi_provider.workspace import Workspace
from stack.local.system.paths import Home

MISSING = 3
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
        provided = client.provider_address(home, given.stack, frontend=given.frontend, say=_say)
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
        secrets = self.workspace.configure(self.stack, provided["config_overrides"])
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
        done = subprocess.run(
            command, env=self._environment, input=given, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise UserError(
                f"`pulumi {' '.join(arguments[:2])}` failed: {done.stderr.strip() or done.stdout.strip()}"
            )

    @property
    def _command(self) -> list[str]:
        return [self.program, "-C", str(self.workspace.project_directory)]

    @property
    def _environment(self) -> dict[str, str]:
        return {
            **self.workspace.environment(client.without_credentials(), port=self.port),
            "PULUMI_STACK": self.stack,
        }


def _say(text: str) -> None:
    """Beside what the CLI prints, which may be read by a program."""
    print(text, file=sys.stderr, flush=True)
