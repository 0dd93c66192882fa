"""Adds an example to the schema of a model."""

from typing import Any

from pydantic import ConfigDict


def example(value: Any) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [value]})
