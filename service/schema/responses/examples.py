"""How a schema carries its example."""

from typing import Any

from pydantic import ConfigDict


def example(value: Any) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [value]})
