"""The program's modules in `sys.modules` between two evaluations."""

import sys
from pathlib import Path

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
