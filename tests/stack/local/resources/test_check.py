"""The check of inputs against the types that the SDK or the provider declares."""

import re
from pathlib import Path
from typing import Any

import pytest

from common.errors import UserError
from stack.local.registry import HANDLERS
from stack.local.resources import base
from stack.local.resources.values import UNKNOWN, Secret
from tests.support.tiny_project import GROUP, LAYER, InMemoryResources, in_memory_handler

CHECKED = [
    # type, inputs, part of the message; None for inputs that pass
    (GROUP, {"name": "a", "retentionInDays": 7, "tags": {"k": "v"}}, None),
    (GROUP, {"name": Secret("a"), "retentionInDays": UNKNOWN}, None),
    (GROUP, {"nme": "a"}, "no input 'nme'; known are"),
    (GROUP, {"retention_in_days": 7}, "no input 'retention_in_days'"),
    (GROUP, {"name": 7}, "name is 7, expected str"),
    (GROUP, {"name": Secret(7)}, "name is 7, expected str"),
    (GROUP, {"retentionInDays": 7.5}, "retentionInDays is 7.5, expected int"),
    (GROUP, {"retentionInDays": True}, "retentionInDays is True, expected int"),
    (GROUP, {"tags": ["k"]}, "tags is not a map"),
    (GROUP, {"tags": {"k": 1}}, "tags.k is 1, expected str"),
    (GROUP, {"skipDestroy": True}, "'skipDestroy' is not supported locally"),
    (LAYER, {"layerName": "l", "code": "a.zip"}, "code is not an archive"),
    (
        LAYER,
        {"layerName": "l", "compatibleRuntimes": "python3.13"},
        "compatibleRuntimes is not a list",
    ),
    (
        LAYER,
        {"layerName": "l", "compatibleRuntimes": ["python3.13", 3]},
        "compatibleRuntimes[1] is",
    ),
    (
        "aws:lambda/function:Function",
        {"environment": {"variables": {"A": 1}}},
        "environment.variables.A is 1, expected str",
    ),
    (
        "aws:lambda/function:Function",
        {"environment": {"vars": {}}},
        "environment.vars is unknown; known are variables",
    ),
    ("aws:lambda/function:Function", {"environment": "A=1"}, "environment is not an object"),
    ("aws:lambda/function:Function", {"publish": "yes"}, "publish is 'yes', expected bool"),
    (
        "neon:index/project:Project",
        {"pgVersion": 17.5, "branch": {"role_name": "r"}},
        "branch.role_name is unknown",
    ),
]


@pytest.mark.parametrize(("type_", "inputs", "message"), CHECKED)
def test_the_check_refuses_inputs_that_the_sdk_does_not_declare(
    tmp_path: Path, type_: str, inputs: dict[str, Any], message: str | None
):
    checked = in_memory_handler(InMemoryResources(), type(HANDLERS[type_]))
    if message is None:
        base.check(checked, "it", inputs, tmp_path)
    else:
        with pytest.raises(UserError, match=re.escape(message)) as refused:
            base.check(checked, "it", inputs, tmp_path)
        assert f"{type_} 'it'" in str(refused.value)
