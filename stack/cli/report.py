"""`stack report`: compares, writes, and ends well whatever it has found."""

import argparse
import sys
from pathlib import Path

from common.errors import UserError
from stack.report import make
from stack.report.document import write
from stack.report.revisions import UnknownRevisionError

USAGE = 2


def report(options: argparse.Namespace) -> int:
    output: Path | None = options.output
    try:
        if output is not None:
            _make(output)
        text = write(make.find(options.root.resolve(), options.base, _progress))
    except UnknownRevisionError as error:
        print(f"error: {error}", file=sys.stderr)
        return USAGE
    if output is None:
        sys.stdout.write(text)
    else:
        output.write_text(text, encoding="utf-8")
        print(f"wrote {output}", file=sys.stderr)
    return 0


def _make(output: Path) -> None:
    """So that a place that cannot be written to is known before the work."""
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.open("a").close()
    except OSError as error:
        raise UserError(f"--output {output}: {error.strerror}") from None


def _progress(text: str) -> None:
    print(f"{text} …", file=sys.stderr, flush=True)
