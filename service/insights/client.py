"""Sends a prompt to a model through the `openai` package.

The package takes 0.4 s of a CPU to import with bytecode, which is 1.4 s in a function of 512 MB, so
that only requests to a model import this module. It uses Chat Completions, which other endpoints
with OpenAI's API have too, and no parameter that reasoning models refuse, such as `temperature` and
`max_tokens`.
"""

import re
from typing import Any, Final

import openai

# Otherwise the first request imports it, in the model's time.
import openai.resources.chat.completions  # pyright: ignore[reportUnusedImport]

from service.insights.failure import InsightError, Reason
from service.insights.model_output import schema
from service.insights.subject import Subject

OPENAI: Final = "https://api.openai.com/v1"
MOST_TOKENS: Final = 4_000
"""Tokens of one completion, those of its reasoning included: a limit of its cost."""

_BAD_REQUEST: Final = 400
"""The status of a request that was refused for its content: it does not open the breaker."""

_TAKES_EFFORT: Final = re.compile(r"(.*/)?(o[1-9]|gpt-[5-9])(?!.*(chat|pro))")
"""Models that take `reasoning_effort`; low makes them fast enough for the deadline."""


async def complete(subject: Subject, *, model: str, key: str, base_url: str, seconds: float) -> str:
    """Return the model's output, not validated. Raises `InsightError`.

    `seconds` limits each read from the connection, not the whole request.
    """
    response_format: Any = {
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
                response_format=response_format,
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
            _reason(status), status=status, endpoint=status != _BAD_REQUEST
        ) from None
    except InsightError:
        raise
    except Exception:  # noqa: BLE001 - the package does not validate responses: any error is possible
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


def _reason(status: int) -> Reason:
    if status in {401, 403}:
        return "unauthorized"
    if status == 429:
        return "rate_limited"
    return "server_error" if status >= 500 else "refused_request"
