"""`stack pulumi`: runs the pulumi CLI against the local cloud."""

import argparse
import shutil
import signal
import sys

from common.errors import UserError
from stack.cli.commands import FAILED, INTERRUPTED
from stack.cli.pulumi_arguments import PulumiArguments
from stack.local.daemon.pulumi_cli import PulumiCli
from stack.local.system.paths import LocalPaths

MISSING = 3
HOW_TO_INSTALL = (
    "`pulumi` is not on the PATH: install it as "
    "https://www.pulumi.com/docs/iac/download-install/ says, with "
    "`curl -fsSL https://get.pulumi.com | sh` or `brew install pulumi`, and run this again"
)
WHERE_TO_CONFIGURE = (
    "the local cloud reads the configuration from Pulumi.local.yaml, then Pulumi.<stack>.yaml, "
    "then .local/config.yaml, which may hold secrets: write it there"
)


def pulumi(options: argparse.Namespace) -> int:
    """Return 0, 3 without a CLI, 130 for Ctrl-C, and 1 for every failure of the CLI.

    The CLI's own codes are not passed on, because 3 and 4 have another meaning here.
    """
    given = PulumiArguments.parse(options.arguments)
    program = shutil.which("pulumi")
    if program is None:
        print(f"error: {HOW_TO_INSTALL}", file=sys.stderr)
        return MISSING
    if given.writes_configuration:
        raise UserError(WHERE_TO_CONFIGURE)
    cli = PulumiCli(LocalPaths(options.root), program, given.stack)
    for pid in cli.unlock():
        _print_error(f"The lock of process {pid}, which was killed, has been removed.")
    if given.deploys:
        cli.attach(create=given.creates, frontend=given.frontend, say=_print_error)
    code = cli.run(given.arguments)
    if given.removes and code == 0:
        cli.forget_stack()
    return INTERRUPTED if code == -signal.SIGINT else FAILED if code else 0


def _print_error(text: str) -> None:
    """Print to standard error, because a program may read what the CLI prints."""
    print(text, file=sys.stderr, flush=True)
