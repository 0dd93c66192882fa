"""The subject of an insight, with what a model and the rules need to write it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["account", "portfolio"]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """`head` are fields of the response besides the texts; `rules` are the texts by rule.

    `instructions` is the system prompt and `data` the user prompt, a JSON object as text.
    `placeholders` are the texts that a model may cite, by name. `account_texts` are texts of the
    account, which a model may repeat as a whole even if they have digits (see `numbers`).
    """

    kind: Kind
    head: Mapping[str, Any]
    instructions: str
    data: str
    placeholders: Mapping[str, str]
    account_texts: tuple[str, ...]
    rules: Mapping[str, Any]

    @property
    def data_version(self) -> str:
        """A hash of everything that the insight is written from."""
        sources = json.dumps(
            [self.kind, self.instructions, self.data, dict(self.placeholders)], sort_keys=True
        )
        return hashlib.sha256(sources.encode()).hexdigest()[:32]


def quoted(data: Mapping[str, Any]) -> str:
    """Format data as JSON in ASCII, so that no text in it can end its quotes or hide characters."""
    return json.dumps(data, ensure_ascii=True, separators=(",", ":"))
