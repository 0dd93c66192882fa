"""API Gateway's access log: a line for each request, in a format with `$context.*` variables."""

import json
import re
from collections.abc import Mapping

_VARIABLE = re.compile(r"\$context\.((?:\w+\.)*\w+)")

Value = str | int | None


class AccessLogFormat:
    """A parsed format.

    A variable without a value becomes a dash. In a JSON format, values are escaped as in JSON.
    """

    def __init__(self, text: str) -> None:
        self._literals = _VARIABLE.split(text)[::2]
        self._names = _VARIABLE.findall(text)
        self._json = text.lstrip().startswith("{")

    def line(self, context: Mapping[str, Value]) -> str:
        """Return the line for these values, by variable name without `$context.`."""
        values = [self._text(context.get(name)) for name in self._names]
        return "".join(
            part for pair in zip(self._literals, [*values, ""], strict=True) for part in pair
        )

    def _text(self, value: Value) -> str:
        text = "-" if value is None or value == "" else str(value)
        return json.dumps(text)[1:-1] if self._json else text
