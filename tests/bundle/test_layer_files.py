"""Which files of installed packages go into the layer."""

from pathlib import Path

import pytest

from bundle.file_tree import layer_tree
from tests.support.bundle_projects import write

ROOT_PACKAGE = {
    "package/__init__.py": "",
    "package/core/__init__.py": "",
    "package/core/tests/__init__.py": "",
    "package/core/tests/_types.py": "from . import _rows\n",
    "package/core/tests/_rows.py": "",
    "package/core/tests/_fast.cpython-313-x86_64-linux-gnu.so": "",
    "package/core/tests/test_types.py": "import pytest\n",
    "package/tests/test_all.py": "from package.core.tests import test_types\n",
    "package/mypy.py": "",
}
TYPES = {f"package/core/tests/{name}.py" for name in ("__init__", "_types", "_rows")}


def left(site: Path, files: dict[str, str]) -> set[str]:
    """Return the files in the layer that are tests or a plugin."""
    for name, text in {**ROOT_PACKAGE, **files}.items():
        write(site, name, text)
    kept = {entry.name.removeprefix("python/") for entry in layer_tree(site).entries}
    return {name for name in kept if "tests" in name or "mypy" in name}


@pytest.mark.parametrize(
    ("statement", "kept"),
    [
        ("from package.core.tests._types import NA", TYPES),
        ("import package.core.tests._types as types", TYPES),
        ("from .core.tests import _types", TYPES),
        ("from .core.tests import (\n    _types,\n)", TYPES),
        ("from .core import tests", {"package/core/tests/__init__.py"}),
        ("def f():\n    from package.core.tests import _types", TYPES),
        ("try:\n    from package.core.tests import _types\nexcept ImportError:\n    pass", TYPES),
        (
            "from package.core.tests import _fast",
            {
                "package/core/tests/__init__.py",
                "package/core/tests/_fast.cpython-313-x86_64-linux-gnu.so",
            },
        ),
        ("from package import mypy", {"package/mypy.py"}),
        ("if TYPE_CHECKING:\n    from package.core.tests import _types", set()),
        ("# from package.core.tests import _types", set()),
        ("TEXT = '''\nfrom package.core.tests import _types\n'''", set()),
        ("import package.core", set()),
        ("from package.core.tests import (", set()),
    ],
)
def test_a_module_that_is_left_out_stays_when_a_module_that_stays_imports_it(
    tmp_path: Path, statement: str, kept: set[str]
) -> None:
    assert left(tmp_path, {"package/testing.py": f"{statement}\n"}) == kept


def test_an_import_by_a_module_that_is_left_out_keeps_nothing(tmp_path: Path) -> None:
    assert left(tmp_path, {}) == set()


def test_modules_of_a_distribution_that_the_runtime_has_are_not_kept(tmp_path: Path) -> None:
    write(tmp_path, "boto3-1.0.dist-info/RECORD", "boto3/tests/data.py,,\nboto3/__init__.py,,\n")
    boto = {"boto3/__init__.py": "", "boto3/tests/data.py": ""}
    assert left(tmp_path, {**boto, "package/use.py": "import boto3.tests.data\n"}) == set()
