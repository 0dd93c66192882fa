"""The form of what a model answers, and what is checked of it before anybody reads it."""

import json
import re
import unicodedata
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema

from service.insights.failure import InsightError
from service.insights.subject import Kind, Subject
from service.playbooks import PLAYBOOKS, find

LONGEST_TEXT: Final = 2_000
"""Characters of one text, also once it is filled in."""

_NAME: Final = re.compile(r"\{([a-z_]+)\}")


def _text(text: str) -> str:
    """On one line, saying something, and such that it can be stored and shown."""
    line = " ".join(text.split())
    if (
        not line
        or len(line) > LONGEST_TEXT
        or any(unicodedata.category(character) in {"Cc", "Cs"} for character in line)
    ):
        raise ValueError("not a text")
    return line


def _known(playbook_id: int) -> int:
    if find(playbook_id) is None:
        raise ValueError("no playbook")
    return playbook_id


Text = Annotated[
    str, AfterValidator(_text), WithJsonSchema({"type": "string", "pattern": "^[^0-9]*$"})
]
PlaybookId = Annotated[
    int,
    AfterValidator(_known),
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


class AccountAnswer(_Strict):
    summary: Text
    health_analysis: Text
    risk_factors: Annotated[list[Text], Field(max_length=10)]
    recommended_actions: Annotated[list[Action], Field(min_length=1, max_length=5)]


class PortfolioAnswer(_Strict):
    summary: Text
    key_findings: Annotated[list[Text], Field(min_length=1, max_length=10)]
    top_risks: Annotated[list[Text], Field(max_length=10)]
    opportunities: Annotated[list[Text], Field(max_length=10)]


_FORMS: Final[Mapping[Kind, type[_Strict]]] = {
    "account": AccountAnswer,
    "portfolio": PortfolioAnswer,
}


def schema(kind: Kind) -> dict[str, Any]:
    """JSON Schema, in the subset that OpenAI's strict structured outputs take: all required, nothing else allowed."""
    return _FORMS[kind].model_json_schema()


def checked(text: str, subject: Subject) -> dict[str, Any]:
    """What a model answered of `subject`, with the database's numbers filled in. Raises `InsightError`."""
    try:
        given = json.loads(text)
    except ValueError:
        raise InsightError("invalid_json") from None
    try:
        content = _FORMS[subject.kind].model_validate(given).model_dump()
    except ValidationError:
        raise InsightError("invalid_answer") from None
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
    if any(name not in subject.fillings for name in _NAME.findall(text)):
        raise InsightError("unknown_figure")
    rest = _NAME.sub(" ", text)
    for own in subject.own_words:
        rest = rest.replace(own, " ")
    if "{" in rest or "}" in rest:
        raise InsightError("unknown_figure")
    if any(unicodedata.category(character).startswith("N") for character in rest):
        raise InsightError("number_of_its_own")
    filled = _NAME.sub(lambda name: subject.fillings[name[1]], text)
    if len(filled) > LONGEST_TEXT:
        raise InsightError("invalid_answer")
    return filled
