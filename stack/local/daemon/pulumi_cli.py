"""Runs the pulumi CLI in a checkout's workspace, against the local cloud."""

import signal
import subprocess
from collections.abc import Callable, Sequence

from common.environment import inherited
from common.errors import UserError
from stack.local.daemon import client
from stack.local.pulumi_provider.workspace import Workspace
from stack.local.system.paths import LocalPaths


class PulumiCli:
    """The CLI for one stack. program: the path of `pulumi`."""

    def __init__(self, paths: LocalPaths, program: str, stack: str) -> None:
        paths.create()
        self._paths = paths
        self._program = program
        self._stack = stack
        self._workspace = Workspace(paths)
        self._workspace.make()
        self._port: int | None = None

    def unlock(self) -> list[int]:
        """Remove the stack's locks of processes that have been killed; return their pids."""
        return self._workspace.unlock(self._stack)

    def attach(self, *, create: bool, frontend: bool, say: Callable[[str], None]) -> None:
        """Connect the CLI to the provider of the local cloud, and configure the stack.

        create: create the stack if it does not exist. frontend: if the local cloud has to be
        started, start it with the dashboard. Raises `UserError` when one of these fails.
        """
        provided = client.provider_address(self._paths, self._stack, frontend=frontend, say=say)
        self._port = provided["port"]
        secrets = self._workspace.configure(self._stack, provided["config_overrides"])
        if create and not self._workspace.has(self._stack):
            self._run_quietly(["stack", "init", self._stack])
        for key, value in secrets.items() if self._workspace.has(self._stack) else ():
            self._run_quietly(["config", "set", "--secret", key], text=value)

    def run(self, arguments: Sequence[str]) -> int:
        """Run a command in the foreground; return its exit code, negative after a signal."""
        process = subprocess.Popen([*self._command, *arguments], env=self._environment)

        def terminate(_number: int, _frame: object) -> None:
            process.terminate()

        signal.signal(signal.SIGTERM, terminate)
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                # Ctrl-C goes to the whole foreground process group, so the CLI has it too. It
                # cancels the update and saves the state, which must not be cut short.
                continue

    def forget_stack(self) -> None:
        """Delete what is left of a stack that the CLI has removed, here and in the local cloud."""
        self._workspace.forget(self._stack)
        client.forget(self._paths, self._stack)

    def _run_quietly(self, arguments: Sequence[str], text: str = "") -> None:
        command = [*self._command, *arguments, "--non-interactive"]
        done = subprocess.run(
            command, env=self._environment, input=text, capture_output=True, text=True, check=False
        )
        if done.returncode:
            error = done.stderr.strip() or done.stdout.strip()
            raise UserError(f"`pulumi {' '.join(arguments[:2])}` failed: {error}")

    @property
    def _command(self) -> list[str]:
        return [self._program, "-C", str(self._workspace.project_directory)]

    @property
    def _environment(self) -> dict[str, str]:
        return {
            **self._workspace.environment(inherited(), port=self._port),
            "PULUMI_STACK": self._stack,
        }
