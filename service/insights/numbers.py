"""Finds numbers in a model's text that it was not given: in digits of any script, and in words.

A model cites a figure by its placeholder, and may repeat the words of an account. Nothing else in
its text may be a number, or make another one of what it cites.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

CITED: Final = "\0"
"""Stands for what is cited, which may have digits. A text of a model has no control characters."""

_NUMBERS: Final = (
    r"zero|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen"
    r"|sixteen|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
    r"|hundreds?|thousands?|millions?|billions?|trillions?|dozens?"
)
_SPAN: Final = re.compile(
    rf"\b(?:{_NUMBERS}|one)(?:(?:-| | and | or | to )(?:{_NUMBERS}|one))*[- ]"
    r"(?:business |calendar |full |working )?(?:minute|hour|day|week|month|quarter|year)s?\b",
    re.IGNORECASE,
)
"""A span of time in words, which advice needs."""
_IN_WORDS: Final = re.compile(
    rf"\b(?:{_NUMBERS}|half|halves|twice|thrice|double[ds]?(?![- ]check)|triple[ds]?|per ?cent"
    r"|(?:third|fifth|tenth)s? of)\b",
    re.IGNORECASE,
)
_MONTH: Final = re.compile(
    r"\b(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|Jun[e]?|Jul[y]?|Aug(?:ust)?"
    r"|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\b"
)
_UNITS: Final = re.compile(
    r"one|may|st|nd|rd|th|[kmxbeqh]|m[mn]|bn|fy|pct|pp|bps|usd|eur|gbp"
    r"|(?:dollar|point|score|ticket|account|user|seat)s?|breach(?:es)?"
    r"|(?:minute|hour|day|week|month|quarter|year)s?",
    re.IGNORECASE,
)
"""Words that with a number are still a number."""

_CLOSING: Final = r"[\s)\]\"'\u2019\u201d]"
_BEFORE: Final = r"(?<![^\s(\[\"'\u2018\u201c\u2014:;])"
_AFTER: Final = (
    rf"(?=$|{_CLOSING}|[\u2014:;!?]|[.,\u2026](?:$|{_CLOSING})|-[^\W\d_]{{3}})"
    r"(?!\s*(?:[kmx]|m[mn]|bn|pct|pp|bps)\b)"
)
_ALONE: Final = re.compile(rf"{_BEFORE}{CITED}{_AFTER}", re.IGNORECASE)
_CHANGED: Final = re.compile(rf"\b(?:minus|negative|plus|times)\s+{CITED}", re.IGNORECASE)


def name(text: str) -> str:
    """Return a name as it is cited: in quotation marks when it could be read as a figure."""
    return f"“{text}”" if _reads_as_figure(text) else text


def cite_words(text: str, words: Iterable[str]) -> str:
    """Replace the words of an account, each as a whole, where they cannot be read as a figure."""
    for each in sorted((" ".join(it.split()) for it in words), key=len, reverse=True):
        if not _reads_as_figure(each):
            text = re.sub(
                rf"(?<!\w){re.escape(each)}(?!\w)", CITED if _has_digit(each) else " ", text
            )
    return text


def has_unsupported(text: str) -> bool:
    """Return whether there is a number in a text whose citations are `CITED`."""
    return bool(
        _has_digit(text)
        or any(it in "%\u2030\u2031" or unicodedata.category(it) == "Sc" for it in text)
        or _IN_WORDS.search(_SPAN.sub(" ", text))
        or _MONTH.search(text)
        or _CHANGED.search(text)
        or CITED in _ALONE.sub("", text)
    )


def _has_digit(text: str) -> bool:
    return any(unicodedata.numeric(character, None) is not None for character in text)


def _reads_as_figure(text: str) -> bool:
    if not (_has_digit(text) or _IN_WORDS.search(text) or _MONTH.search(text)):
        return False
    words = re.findall(r"[^\W\d_]+", _MONTH.sub(" ", _IN_WORDS.sub(" ", text)))
    return all(map(_UNITS.fullmatch, words))
