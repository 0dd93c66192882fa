"""What an insight is about, ready for both ways of writing it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["account", "portfolio"]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """`head`: what the answer says of it besides the text. `rules`: the text by rule.

    `instructions` and `data` (a JSON object as text) are what a model is told; `fillings` what it may cite, by name.
    `own_words`: texts of the account, which may be repeated with the digits in them.
    """

    kind: Kind
    head: Mapping[str, Any]
    instructions: str
    data: str
    fillings: Mapping[str, str]
    own_words: tuple[str, ...]
    rules: Mapping[str, Any]

    @property
    def data_version(self) -> str:
        """A hash of all that the insight rests on: the same for the same question."""
        rests_on = json.dumps(
            [self.kind, self.instructions, self.data, dict(self.fillings)], sort_keys=True
        )
        return hashlib.sha256(rests_on.encode()).hexdigest()[:32]


def quoted(data: Mapping[str, Any]) -> str:
    """As JSON in ASCII: no text in it can end its own quotation, or hide a character."""
    return json.dumps(data, ensure_ascii=True, separators=(",", ":"))
