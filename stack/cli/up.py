"""`stack up`: starts the supervisor and prints its events."""

import argparse
import sys

from stack.cli.event_printers import event_printer
from stack.local.daemon import client
from stack.local.system.paths import LocalPaths


def up(options: argparse.Namespace) -> int:
    """Print events until the supervisor ends, or with `--detach` until the stack is ready."""
    launched = client.launch(LocalPaths(options.root), _flags(options), attached=not options.detach)
    with event_printer(options) as printer:
        return client.follow(launched, printer.show, printer.ask, detach=options.detach)


def _flags(options: argparse.Namespace) -> list[str]:
    """Return the options that the supervisor takes, as flags (see `daemon.options.up_flags`)."""
    port = [] if options.port is None else ["--port", str(options.port)]
    flags = {
        "--no-frontend": not options.frontend,
        "--watch": options.watch,
        "--no-freeze": not options.freeze,
        "--strict-concurrency": options.strict_concurrency,
        "--allow-data-loss": options.allow_data_loss,
        "--terminal": sys.stdin.isatty() and sys.stdout.isatty(),
    }
    return port + [flag for flag, chosen in flags.items() if chosen]
