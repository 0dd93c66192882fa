"""One normal form for the texts of accounts, on every path into the database.

Two texts that look alike are equal then: Unicode NFC, every kind of blank is a space, blanks around
the text are dropped, and runs of blanks are one. Invisible characters are refused.
"""

import re
import unicodedata
from typing import Final

_BLANKS: Final = re.compile("[ \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+")
_INVISIBLE: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)


class InvisibleCharacterError(ValueError):
    """The text holds a character that has no glyph, such as a zero-width space."""


def normalize(text: str) -> str:
    """Return the normal form of a text. Raises `InvisibleCharacterError`."""
    if text.isascii():
        return _fold_blanks(text) if "  " in text else text.strip(" ")
    normal = unicodedata.normalize("NFC", text)
    if _INVISIBLE.search(normal):
        raise InvisibleCharacterError
    return _fold_blanks(normal)


def _fold_blanks(text: str) -> str:
    return _BLANKS.sub(" ", text).strip(" ")
