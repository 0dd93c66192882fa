"""Protects text cells from spreadsheets that would evaluate them as formulas (CSV injection).

The characters are those of OWASP ASVS 5.0, 1.2.10. A text that starts with one gets a leading
single quote, which spreadsheets do not show. A text that starts with quotes and then one of them
gets one more, so that reading, which removes one, always returns the text that was written.
"""

import re
from typing import Final

_FORMULA: Final = re.compile(r"'*[=+\-@\t\r]")
_PROTECTED: Final = re.compile(r"'+[=+\-@\t\r]")


def protected(text: str) -> str:
    """The cell to write for a text: `=1+1` → `'=1+1`. Not for numbers, which stay plain."""
    return f"'{text}" if _FORMULA.match(text) else text


def unprotected(cell: str) -> str:
    """The text of a cell that is read: `'=1+1` → `=1+1`, but `'s Gravenhage` unchanged."""
    return cell[1:] if _PROTECTED.match(cell) else cell
