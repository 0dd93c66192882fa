"""Validates the output of a model: its JSON Schema, its texts, and the numbers in them."""

import json
import re
import unicodedata
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema

from service.insights import numbers
from service.insights.failure import InsightError
from service.insights.subject import Kind, Subject
from service.playbooks import PLAYBOOKS, find

LONGEST_TEXT: Final = 2_000
"""Characters of one text, before and after its placeholders are filled in."""

_PLACEHOLDER: Final = re.compile(r"\{([a-z_]+)\}")


def _text(text: str) -> str:
    """Join the lines of a text, and refuse one that is empty, too long or not printable."""
    line = " ".join(text.split())
    if (
        not line
        or len(line) > LONGEST_TEXT
        or any(unicodedata.category(character) in {"Cc", "Cs"} for character in line)
    ):
        raise ValueError("not a text")
    return line


def _existing(playbook_id: int) -> int:
    if find(playbook_id) is None:
        raise ValueError("no playbook")
    return playbook_id


Text = Annotated[
    str, AfterValidator(_text), WithJsonSchema({"type": "string", "pattern": "^[^0-9]*$"})
]
PlaybookId = Annotated[
    int,
    AfterValidator(_existing),
    WithJsonSchema({"type": "integer", "enum": [playbook.id for playbook in PLAYBOOKS]}),
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Action(_Strict):
    title: Text
    description: Text
    priority: Literal["High", "Medium", "Low"]
    estimated_impact: Text
    playbook_id: PlaybookId | None


class AccountOutput(_Strict):
    summary: Text
    health_analysis: Text
    risk_factors: Annotated[list[Text], Field(max_length=10)]
    recommended_actions: Annotated[list[Action], Field(min_length=1, max_length=5)]


class PortfolioOutput(_Strict):
    summary: Text
    key_findings: Annotated[list[Text], Field(min_length=1, max_length=10)]
    top_risks: Annotated[list[Text], Field(max_length=10)]
    opportunities: Annotated[list[Text], Field(max_length=10)]


_MODELS: Final[Mapping[Kind, type[_Strict]]] = {
    "account": AccountOutput,
    "portfolio": PortfolioOutput,
}


def schema(kind: Kind) -> dict[str, Any]:
    """Return the JSON Schema of the output.

    It is in the subset of OpenAI's strict structured outputs: all properties are required, and
    additional ones are forbidden.
    """
    return _MODELS[kind].model_json_schema()


def checked(text: str, subject: Subject) -> dict[str, Any]:
    """Return the content of the output `text`, its placeholders filled in.

    Raises `InsightError` when it is not valid, or has a number that is neither a placeholder nor a
    part of the account's words.
    """
    try:
        given = json.loads(text)
    except ValueError:
        raise InsightError("invalid_json") from None
    try:
        content = _MODELS[subject.kind].model_validate(given).model_dump()
    except ValidationError:
        raise InsightError("invalid_output") from None
    return _filled(content, subject)


def _filled(part: Any, subject: Subject) -> Any:
    if isinstance(part, str):
        return _fill(part, subject)
    if isinstance(part, list):
        return [_filled(each, subject) for each in part]
    if isinstance(part, dict):
        return {
            name: each if name == "priority" else _filled(each, subject)
            for name, each in part.items()
        }
    return part


def _fill(text: str, subject: Subject) -> str:
    if any(name not in subject.placeholders for name in _PLACEHOLDER.findall(text)):
        raise InsightError("unknown_figure")
    rest = numbers.cite_words(_PLACEHOLDER.sub(numbers.CITED, text), subject.account_texts)
    if "{" in rest or "}" in rest:
        raise InsightError("unknown_figure")
    if numbers.has_unsupported(rest):
        raise InsightError("unsupported_number")
    filled = _PLACEHOLDER.sub(lambda name: subject.placeholders[name[1]], text)
    if len(filled) > LONGEST_TEXT:
        raise InsightError("invalid_output")
    return filled
