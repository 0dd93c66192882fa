"""`make` repairs the environment of a checkout: moved, half made, without its interpreter.

The packages are replaced by a copy of `uv` alone, so that no test installs all of them.
"""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.project_files import ROOT


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with the Makefile, the script and locks of one package."""
    root = tmp_path / "checkout"
    for name in ("Makefile", "scripts/setup.py", "requirements/uv.txt", "pyproject.toml"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    shutil.copy(ROOT / "requirements/uv.txt", root / "requirements/all.txt")
    (root / "stack/cli").mkdir(parents=True)
    (root / "stack/cli/main.py").write_text("def main():\n    print('stack runs')\n")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for package in (*project["tool"]["uv"]["build-backend"]["module-name"], "stack/cli"):
        (root / package).mkdir(exist_ok=True)
        (root / package / "__init__.py").touch()
    shutil.copytree(ROOT / "sdks/neon", root / "sdks/neon")
    return root


def up(checkout: Path) -> str:
    """Run `make up`, and return what it prints."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(
        ["make", f"PYTHON={sys.executable}", "up"],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_an_environment_is_made_once_and_repaired_after_each_damage(checkout: Path):
    assert "Setting up" in up(checkout)
    assert up(checkout) == "stack runs\n"

    moved = checkout.rename(checkout.with_name("with blanks, renamed"))
    assert "Setting up" in up(moved)
    assert up(moved) == "stack runs\n"

    uv = moved / ".venv/bin/uv"
    uv.write_bytes(uv.read_bytes()[:100])
    (moved / ".venv/.ready").unlink()  # the set-up was interrupted
    for python in (moved / ".venv/bin").glob("python3*"):
        python.unlink()
    assert "Setting up" in up(moved)
    assert up(moved) == "stack runs\n"
