"""Writes Markdown in which text from elsewhere cannot have an effect.

Names, values and messages are code spans and code blocks, in which Markdown renders nothing.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MAX_SPAN = 160
MAX_BLOCK_LINES = 200
# Line ends, and characters that hide text or change its direction.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")


@dataclass(frozen=True, kw_only=True)
class Unavailable:
    """A part of the report that could not be determined, and why."""

    reason: str


def code(text: Any) -> str:
    """Return a code span that is safe in a table cell; text above 160 characters is cut.

    The fence is longer than every run of backticks in the text (CommonMark 6.1), and `|` is
    escaped, which GitHub's tables require even inside of a code span.
    """
    plain = _CONTROLS.sub(" ", str(text))
    plain = plain if len(plain) <= MAX_SPAN else f"{plain[: MAX_SPAN - 1]}…"
    if not plain.strip():
        return "(empty)"
    fence = "`" * (max((len(run) for run in re.findall("`+", plain)), default=0) + 1)
    padding = " " if "`" in plain or plain != plain.strip() else ""
    return f"{fence}{padding}{plain}{padding}{fence}".replace("|", "\\|")


def code_block(lines: Sequence[str], language: str = "") -> str:
    """Return a fenced code block; lines above 200 are replaced by their number."""
    shown = [_CONTROLS.sub(" ", line) for line in lines[:MAX_BLOCK_LINES]]
    if len(lines) > MAX_BLOCK_LINES:
        shown.append(f"… {len(lines) - MAX_BLOCK_LINES} more lines")
    longest = max((len(run) for line in shown for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([f"{fence}{language}", *shown, fence])


def table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()
) -> str:
    """Return a table. Cells are Markdown. right: indices of the columns that are aligned right."""
    rule = ["---:" if index in right else "---" for index in range(len(header))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))


def unavailable(part: Unavailable) -> list[str]:
    """Return the paragraphs for a part that could not be determined."""
    return ["**This could not be determined:**", code_block(part.reason.splitlines())]


def format_bytes(size: int) -> str:
    """Return a size in units of 1000."""
    if abs(size) < 1000:
        return f"{size} B"
    return f"{size / 1e6:.2f} MB" if abs(size) >= 1e6 else f"{size / 1e3:.1f} kB"


def signed(text: str, value: float) -> str:
    """Return the text of a number, with `+` if the number is positive."""
    return f"+{text}" if value > 0 else text
