"""Protects text that a spreadsheet would take for a formula.

The characters are those of OWASP ASVS 5.0, 1.2.10, also in their full-width forms and behind
blanks, which some spreadsheets skip. Such a text gets a single quote in front, which spreadsheets
do not show. A text that has such quotes already gets one more, so that reading, which takes one
away, restores every text.
"""

import re
from typing import Final

_BLANKS: Final = r"[ \u00a0]*"
_STARTS: Final = r"[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]"
_FORMULA: Final = re.compile(rf"'*{_BLANKS}{_STARTS}")
_PROTECTED: Final = re.compile(rf"'+{_BLANKS}{_STARTS}")


def protected(text: str) -> str:
    """Return a text cell as it is written: `=1+1` → `'=1+1`. Numbers stay plain."""
    return f"'{text}" if _FORMULA.match(text) else text


def unprotected(cell: str) -> str:
    """Return a cell as it was: `'=1+1` → `=1+1`; `'s Gravenhage` stays."""
    return cell[1:] if _PROTECTED.match(cell) else cell
