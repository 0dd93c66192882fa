"""Text that a spreadsheet would take for a formula: how a cell of a file is written so that it does not, and read back.

The characters are those of OWASP ASVS 5.0, 1.2.10. A text that starts so gets a single quote in front, which spreadsheets do not show.
One that has such quotes already gets one more, so that reading, which takes one away, gives every text back as it was.
"""

import re
from typing import Final

_FORMULA: Final = re.compile(r"'*[=+\-@\t\r]")
_PROTECTED: Final = re.compile(r"'+[=+\-@\t\r]")


def protected(text: str) -> str:
    """For a text cell of a file that is written: `=1+1` → `'=1+1`. Not for numbers: they stay plain."""
    return f"'{text}" if _FORMULA.match(text) else text


def unprotected(cell: str) -> str:
    """For a cell of a file that is read: `'=1+1` → `=1+1`, `'s Gravenhage` as it is."""
    return cell[1:] if _PROTECTED.match(cell) else cell
