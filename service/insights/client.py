"""A question to a model, through the `openai` package, which takes 0.3 s to import: only what asks imports this.

By Chat Completions: one question and one answer need no more, and other endpoints that speak OpenAI's API have it. Only what today's
reasoning models accept is sent: neither `temperature` nor `max_tokens`.
"""

import re
from typing import Any, Final

import openai

from service.insights.answers import schema
from service.insights.failure import InsightError, Reason
from service.insights.subject import Subject

OPENAI: Final = "https://api.openai.com/v1"
MOST_TOKENS: Final = 4_000
"""Of one answer, those of its reasoning included: what an answer can cost."""

_ABOUT_THE_QUESTION: Final = 400
"""Of one question, perhaps of a filter on its text: no reason to ask no others."""

_TAKES_EFFORT: Final = re.compile(r"(.*/)?(o[1-9]|gpt-[5-9])(?!.*(chat|pro))")
"""Models that take `reasoning_effort: low`, with which they answer within the deadline. Others might refuse it."""


async def answer(subject: Subject, *, model: str, key: str, base_url: str, seconds: float) -> str:
    """What the model says, unchecked. `seconds` bounds each read, not the whole. Raises `InsightError`."""
    form: Any = {
        "type": "json_schema",
        "json_schema": {"name": "insight", "strict": True, "schema": schema(subject.kind)},
    }
    effort: Any = {"reasoning_effort": "low"} if _TAKES_EFFORT.match(model) else {}
    try:
        async with openai.AsyncOpenAI(
            api_key=key, base_url=base_url or OPENAI, max_retries=0, timeout=seconds
        ) as client:
            response: Any = await client.chat.completions.create(
                model=model,
                messages=[
                    {"role": "system", "content": subject.instructions},
                    {"role": "user", "content": subject.data},
                ],
                response_format=form,
                max_completion_tokens=MOST_TOKENS,
                store=False,
                **effort,
            )
        return _content(response)
    except openai.APITimeoutError:
        raise InsightError("timeout", endpoint=True) from None
    except openai.APIConnectionError:
        raise InsightError("unreachable", endpoint=True) from None
    except openai.APIStatusError as error:
        status = error.status_code
        raise InsightError(
            _meaning(status), status=status, endpoint=status != _ABOUT_THE_QUESTION
        ) from None
    except InsightError:
        raise
    except Exception:  # noqa: BLE001 - the package checks no answer's form, so that a wrong one can fail anywhere
        raise InsightError("invalid_response", endpoint=True) from None


def _content(response: Any) -> str:
    choice = response.choices[0]
    if choice.message.refusal or choice.finish_reason == "content_filter":
        raise InsightError("refusal")
    if choice.finish_reason == "length":
        raise InsightError("incomplete")
    if not choice.message.content:
        raise InsightError("empty")
    return str(choice.message.content)


def _meaning(status: int) -> Reason:
    if status in {401, 403}:
        return "unauthorized"
    if status == 429:
        return "rate_limited"
    return "server_error" if status >= 500 else "refused_request"
