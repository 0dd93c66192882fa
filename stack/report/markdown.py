"""Markdown of which no text that comes from elsewhere can be a part: names, values and messages are code, which renders nothing."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Missing:
    """A part that could not be found out, and why."""

    reason: str


LONGEST = 160
LONGEST_BLOCK = 200
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")
"""Line ends, and what hides text or turns its direction."""


def code(text: Any) -> str:
    """A code span, fit for a table's cell; long texts are cut."""
    plain = _CONTROLS.sub(" ", str(text))
    plain = plain if len(plain) <= LONGEST else f"{plain[: LONGEST - 1]}…"
    if not plain.strip():
        return "(empty)"
    fence = "`" * (max((len(run) for run in re.findall("`+", plain)), default=0) + 1)
    padding = " " if "`" in plain or plain != plain.strip() else ""
    return f"{fence}{padding}{plain}{padding}{fence}".replace("|", "\\|")


def block(lines: Sequence[str], language: str = "") -> str:
    """A fenced block, cut after some lines."""
    shown = [_CONTROLS.sub(" ", line) for line in lines[:LONGEST_BLOCK]]
    if len(lines) > LONGEST_BLOCK:
        shown.append(f"… {len(lines) - LONGEST_BLOCK} more lines")
    longest = max((len(run) for line in shown for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([f"{fence}{language}", *shown, fence])


def table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()
) -> str:
    """`right` are the columns of figures. Cells are Markdown."""
    rule = ["---:" if at in right else "---" for at in range(len(header))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))


def missing(part: Missing) -> list[str]:
    """A part of the report that is not there, and why."""
    return ["**This could not be found out:**", block(part.reason.splitlines())]


def bytes_(size: int) -> str:
    """In units of 1000."""
    if abs(size) < 1000:
        return f"{size} B"
    return f"{size / 1e6:.2f} MB" if abs(size) >= 1e6 else f"{size / 1e3:.1f} kB"


def signed(text: str, value: float) -> str:
    return f"+{text}" if value > 0 else text
