"""API Gateway's access log: one line a request, from a format with `$context.*` variables."""

import json
import re
from collections.abc import Mapping

_VARIABLE = re.compile(r"\$context\.((?:\w+\.)*\w+)")

Value = str | int | None


class AccessLogFormat:
    """A format, taken apart once. A variable without a value is a dash; in a JSON format values cannot break the line."""

    def __init__(self, text: str) -> None:
        self._literals = _VARIABLE.split(text)[::2]
        self._names = _VARIABLE.findall(text)
        self._json = text.lstrip().startswith("{")

    def line(self, context: Mapping[str, Value]) -> str:
        values = [self._text(context.get(name)) for name in self._names]
        return "".join(
            part for pair in zip(self._literals, [*values, ""], strict=True) for part in pair
        )

    def _text(self, value: Value) -> str:
        text = "-" if value is None or value == "" else str(value)
        return json.dumps(text)[1:-1] if self._json else text
