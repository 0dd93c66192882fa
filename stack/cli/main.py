"""The entry point of `stack`, which runs the product locally, without an account."""

import argparse
import re
import signal
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn, cast

from common.errors import UserError
from common.storage import storage_problem
from stack.cli import commands
from stack.local.daemon.options import up_flags

USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    The codes are 0 done, 1 failed, 2 usage, 3 `pulumi` is missing, 4 not running or already
    running, 130 interrupted.
    """
    # A background job of a non-interactive shell (`stack up &`) starts with SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    if rest and options.run is not commands.psql:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    options.arguments = getattr(options, "arguments", rest[1:] if rest[:1] == ["--"] else rest)
    try:
        return options.run(options)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return commands.FAILED
    except KeyboardInterrupt:
        return commands.INTERRUPTED
    except BrokenPipeError:
        return 0
    except OSError as error:
        problem = storage_problem(error, options.root)
        if problem is None:
            raise
        print(f"error: {problem}", file=sys.stderr)
        return commands.FAILED


def _up(options: argparse.Namespace) -> int:
    from stack.cli.up import up  # imported here, because the other commands do not need rich

    return up(options)


def _report(options: argparse.Namespace) -> int:
    from stack.cli.report import report

    return report(options)


def _pulumi(options: argparse.Namespace) -> int:
    if options.arguments in (["--help"], ["-h"]):
        print(options.describe())
        raise SystemExit(0)
    from stack.cli.pulumi import pulumi

    return pulumi(options)


class _Parser(argparse.ArgumentParser):
    """Names the nearest command for one that is misspelt."""

    def error(self, message: str) -> NoReturn:
        found = re.search(r"invalid choice: '([^']*)' \(choose from (.*)\)", message)
        if found and (near := get_close_matches(found[1], re.findall(r"[\w-]+", found[2]), 1)):
            message = f"there is no {found[1]!r}: did you mean {near[0]!r}?"
        super().error(message)


def _parser() -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = cast("Any", _Parser)(
        prog="stack",
        description="AI Success Insights on this machine: "
        "the program, the zip and the pages that would be deployed.",
    )
    parser.add_argument("--root", type=Path, default=commands.checkout(), help=argparse.SUPPRESS)
    actions = parser.add_subparsers(metavar="COMMAND", required=True)

    action = actions.add_parser(
        "up", parents=[up_flags()], help="bring everything up; Ctrl-C stops it"
    )
    action.add_argument(
        "--detach", action="store_true", help="return when the stack is ready, and leave it running"
    )
    action.set_defaults(run=_up)

    action = actions.add_parser("down", help="stop what runs; the data stays")
    action.set_defaults(run=commands.down)

    action = actions.add_parser("status", help="say what runs")
    action.set_defaults(run=commands.status)

    action = actions.add_parser("outputs", help="print the stack's outputs")
    action.add_argument("name", nargs="?", metavar="NAME", help="this one only, the bare value")
    action.add_argument("--json", action="store_true", help="as JSON")
    action.add_argument("--show-secrets", action="store_true", help="in the clear")
    action.set_defaults(run=commands.outputs)

    action = actions.add_parser(
        "logs", help="print the logs of functions and gateway, merged by time"
    )
    action.add_argument(
        "-f",
        "--follow",
        action="store_true",
        help="begin with the last 20; go on as they come",
    )
    action.add_argument(
        "-n", "--tail", metavar="N", type=commands.number_of_records, help="the last N, or all"
    )
    action.add_argument(
        "--since", metavar="TIME", type=commands.time_of_records, help="from 10m ago, or a time, on"
    )
    action.set_defaults(run=commands.logs)

    action = actions.add_parser("invoke", help="invoke the target of a schedule now")
    action.add_argument("kind", choices=["schedule"], help="what is invoked")
    action.add_argument(
        "name", nargs="?", metavar="NAME", help="of the schedule (default: list all of them)"
    )
    action.set_defaults(run=commands.invoke)

    action = actions.add_parser("reset", help="stop, and delete the local data")
    action.add_argument("--yes", action="store_true", help="do not ask")
    action.set_defaults(run=commands.reset)

    action = actions.add_parser(
        "report", help="say as Markdown what this checkout changes, compared with a commit"
    )
    action.add_argument(
        "--base", metavar="REF", required=True, help="the commit, branch or tag to compare with"
    )
    action.add_argument(
        "--output", metavar="FILE", type=Path, help="write there (default: standard output)"
    )
    action.set_defaults(run=_report)
    action = actions.add_parser(
        "pulumi",
        prefix_chars="\0",  # every argument is the CLI's, flags too, in their order
        add_help=False,
        usage="stack pulumi [--no-frontend] COMMAND ...",
        help="run Pulumi's own engine against the local cloud",
        description="Runs the `pulumi` on the PATH against the local cloud, which is started "
        "when it does not run, with the pages unless --no-frontend comes first. What follows is "
        "Pulumi's own: up, preview, refresh, destroy, with --stack NAME for a stack other than "
        "local. Nothing of a cloud is read or written.",
    )
    action.add_argument("arguments", nargs="*", help=argparse.SUPPRESS)
    action.set_defaults(run=_pulumi, describe=action.format_help)

    action = actions.add_parser(
        "migrate", help="apply the migrations that changed under `stack up --watch`"
    )
    action.set_defaults(run=commands.migrate)

    action = actions.add_parser(
        "psql", help="open a database shell; further arguments are psql's own"
    )
    action.set_defaults(run=commands.psql)
    return parser


if __name__ == "__main__":
    sys.exit(main())
