"""`stack report`: prints the report on a change, or writes it to a file."""

import argparse
import sys
from pathlib import Path

from common.errors import UserError
from stack.report.collect import collect
from stack.report.document import write
from stack.report.revisions import UnknownRevisionError

USAGE = 2


def report(options: argparse.Namespace) -> int:
    """Return 0 whatever the report says, and 2 for an unknown revision."""
    output: Path | None = options.output
    try:
        if output is not None:
            _check_writable(output)
        text = write(collect(options.root.resolve(), options.base, _progress))
    except UnknownRevisionError as error:
        print(f"error: {error}", file=sys.stderr)
        return USAGE
    if output is None:
        sys.stdout.write(text)
    else:
        output.write_text(text, encoding="utf-8")
        print(f"wrote {output}", file=sys.stderr)
    return 0


def _check_writable(output: Path) -> None:
    """Create the file before the work starts, which takes minutes. Raises `UserError`."""
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.open("a").close()
    except OSError as error:
        raise UserError(f"--output {output}: {error.strerror}") from None


def _progress(text: str) -> None:
    print(f"{text} …", file=sys.stderr, flush=True)
