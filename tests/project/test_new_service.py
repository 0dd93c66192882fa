"""`make new-service` on a copy of this checkout: what is left is checked, tested and started."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundle import Target, build
from tests.support.checkout import Checkout, get_json
from tests.support.project_files import ROOT, tracked

pytestmark = pytest.mark.xdist_group("new-service")


def run(root: Path, *command: str, code: int = 0) -> str:
    finished = subprocess.run(
        command, cwd=root, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    text = finished.stdout + finished.stderr
    assert finished.returncode == code, text
    return text


def new_service(root: Path, *arguments: str, code: int = 0) -> str:
    return run(root, sys.executable, "scripts/new_service.py", *arguments, code=code)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Git checkout of the files as they are."""
    root = tmp_path_factory.mktemp("new-service") / "checkout"
    for path in tracked():
        target = root / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    built = build(ROOT, Target.host()).layer.parent  # Git ignores it
    shutil.copytree(ROOT / built, root / built)
    run(root, "git", "init", "--quiet")
    run(root, "git", "add", "--all")
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.com")
    run(root, "git", *identity, "commit", "--quiet", "--message", "first")
    return root


@pytest.fixture(scope="module")
def replaced(copy: Path) -> Iterator[Path]:
    new_service(copy, "--yes")
    yield copy
    Checkout(copy).run("reset", "--yes")


def test_it_changes_nothing_without_a_yes_and_beside_uncommitted_changes(copy: Path) -> None:
    assert "without a terminal add --yes" in new_service(copy, code=1)
    assert run(copy, "git", "status", "--porcelain") == ""
    (copy / "notes.txt").write_text("mine")
    assert "?? notes.txt" in new_service(copy, "--yes", code=1)
    (copy / "notes.txt").unlink()
    assert run(copy, "git", "status", "--porcelain") == ""


def test_what_is_left_has_no_lint_and_the_right_format(replaced: Path) -> None:
    ruff = str(Path(sys.executable).parent / "ruff")
    run(replaced, ruff, "format", "--check", ".")
    run(replaced, ruff, "check", ".")


def test_every_test_that_is_left_can_be_collected_and_those_of_service_and_documents_pass(
    replaced: Path,
) -> None:
    pytest_command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    collected = run(replaced, *pytest_command, "--collect-only")
    assert "error" not in collected.splitlines()[-1]
    documents = ("tests/project/test_docs.py", "tests/project/test_layering.py")
    run(replaced, *pytest_command, "tests/service", *documents)


def test_the_new_service_starts_locally_and_is_migrated(replaced: Path) -> None:
    with Checkout(replaced).up("--no-frontend") as outputs:
        assert get_json(outputs["api_url"])["status"] == "ok"
        assert get_json(outputs["api_url"] + "/migrations") == {"applied": 1}
