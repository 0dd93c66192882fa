"""The program's modules in `sys.modules` between two evaluations."""

import gc
import sys
from collections import Counter
from pathlib import Path

import psutil
import pulumi_aws as aws
import pytest

from common.errors import UserError
from stack.local.resources import sdk
from tests.support.tiny_project import TinyProject


def test_forgotten_modules_of_the_program_are_imported_again(
    tiny: TinyProject, monkeypatch: pytest.MonkeyPatch
):
    package = tiny.root / "tinyparts"
    package.mkdir()
    (package / "__init__.py").write_text("NAME = 'first'\n")
    monkeypatch.syspath_prepend(str(tiny.root))
    source = "import tinyparts\npulumi.export('name', tinyparts.NAME)\n"
    assert tiny.up(source) == {"name": "first"}
    (package / "__init__.py").write_text("NAME = 'second'\nMORE = 1\n")
    assert tiny.up(source) == {"name": "first"}
    sdk.forget_modules(tiny.root, ["tinyparts"])
    assert "tinyparts" not in sys.modules
    assert tiny.up(source) == {"name": "second"}
    del sys.modules["tinyparts"]


COMPONENT = """
from dataclasses import dataclass
import pulumi, pulumi_aws as aws

@dataclass(frozen=True)
class Inputs:
    days: int

@pulumi.input_type
class PartArgs:
    def __init__(self, *, name: pulumi.Input[str]) -> None:
        pulumi.set(self, "name", name)

    @property
    @pulumi.getter
    def name(self) -> pulumi.Input[str]:
        return pulumi.get(self, "name")

class Part(pulumi.ComponentResource):
    arn: pulumi.Output[str]

    def __init__(self, name: str, inputs: Inputs) -> None:
        super().__init__("test:index:Part", name, PartArgs(name=name))
        child = pulumi.ResourceOptions(parent=self)
        group = aws.cloudwatch.LogGroup(
            name, name=name, retention_in_days=inputs.days, opts=child
        )
        self.arn = group.arn.apply(str)
        self.register_outputs({"arn": self.arn})
"""


def test_classes_threads_and_descriptors_of_earlier_evaluations_are_gone(
    tiny: TinyProject, monkeypatch: pytest.MonkeyPatch
):
    package = tiny.root / "growing"
    package.mkdir()
    (package / "__init__.py").write_text(COMPONENT)
    monkeypatch.syspath_prepend(str(tiny.root))
    process = psutil.Process()

    def evaluate(times: int) -> Counter[str]:
        """Return how many objects of some kinds exist after so many evaluations."""
        for _ in range(times):
            tiny.up("from growing import *\npulumi.export('arn', Part('a', Inputs(7)).arn)\n")
            sdk.forget_modules(tiny.root, ["growing"])
        gc.collect()
        objects = gc.get_objects()
        found = Counter(type(item).__name__ for item in objects)
        found["of the program"] = sum(
            getattr(item, "__module__", "") == "growing" for item in objects
        )
        found["descriptor"], found["thread"] = process.num_fds(), process.num_threads()
        return found

    before, times = evaluate(2), 5
    after = evaluate(times)
    assert after["of the program"] == 0
    kinds = ("type", "function", "property", "module", "dict", "Field", "descriptor", "thread")
    assert [kind for kind in kinds if after[kind] - before[kind] >= times] == []


def test_modules_outside_of_the_program_are_not_forgotten(tmp_path: Path):
    sdk.forget_modules(tmp_path, ["components", "aws", "pulumi"])
    assert sys.modules["common.errors"].UserError is UserError
    assert sys.modules["pulumi_aws"] is aws
    root = Path(sys.modules["common.errors"].__file__ or "").parent.parent
    before = dict(sys.modules)
    try:
        sdk.forget_modules(root, ["components", "config"])
        assert sys.modules["common.errors"].UserError is UserError
        assert "config.stack_config" in before
        assert "config.stack_config" not in sys.modules
    finally:
        sys.modules.update(before)
