"""`python -m bundle`: builds the bundle and prints its report."""

import argparse
import sys
from pathlib import Path

from bundle import Target, build
from common.errors import UserError


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bundle", description="Build the bundle for Lambda and print its report."
    )
    parser.add_argument("--architecture", choices=["arm64", "x86_64"], default="arm64")
    parser.add_argument(
        "--python",
        default="3.13",
        metavar="X.Y",
        help="minor version of Lambda's runtime (%(default)s)",
    )
    parser.add_argument(
        "--host",
        action="store_true",
        help="for this machine and the Python that runs the command, as `stack up` does",
    )
    parser.add_argument(
        "--no-bytecode",
        dest="bytecode",
        action="store_false",
        help="source only: needs no Python of that version",
    )
    arguments = parser.parse_args()
    try:
        target = (
            Target.host()
            if arguments.host
            else Target(architecture=arguments.architecture, python=arguments.python)
        )
        bundle = build(
            Path.cwd(),
            target,
            bytecode=arguments.bytecode,
            progress=lambda text: _print_error(f"{text} …"),
        )
    except UserError as error:
        _print_error(f"error: {error}")
        return 1
    sys.stdout.write(
        f"{bundle.report}\n  {bundle.layer}, {bundle.code}, version {bundle.version}\n"
    )
    return 0


def _print_error(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
