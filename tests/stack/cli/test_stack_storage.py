"""`stack` where `.local/` cannot be used, and where the supervisor does not start."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import checkout
from tests.support.checkout import Checkout

pytestmark = pytest.mark.xdist_group("stack-storage")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    copy = checkout.make(tmp_path_factory.mktemp("storage") / "checkout")
    yield copy
    copy.run("reset", "--yes")


@pytest.fixture
def stack(shared: Checkout) -> Iterator[Checkout]:
    """A copy with nothing running, before and after."""
    yield shared
    shared.run("down")
    assert shared.gone(2) == []


@contextmanager
def mounted(directory: Path, options: str) -> Iterator[None]:
    """Mount an empty file system in memory; skip the test where this user may not."""
    directory.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(directory)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a file system")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


@contextmanager
def replaced(path: Path, text: str) -> Iterator[None]:
    """Put a file in the place of a file or directory."""
    saved = path.rename(path.with_name(f"{path.name}.saved")) if path.exists() else None
    path.write_text(text)
    try:
        yield
    finally:
        path.unlink()
        if saved:
            saved.rename(path)


def assert_one_sentence(text: str, path: Path, reason: str) -> None:
    (line,) = text.strip().splitlines()
    assert str(path) in line
    assert reason in line


@pytest.mark.parametrize(
    "command", [("up", "--detach"), ("up",), ("down",), ("status",), ("outputs",), ("psql",)]
)
def test_a_file_in_the_place_of_the_directory_is_one_sentence(
    stack: Checkout, command: tuple[str, ...]
) -> None:
    directory = stack.root / ".local"
    with replaced(directory, ""):
        assert_one_sentence(stack.run(*command, code=1), directory, "it is no directory")


@pytest.mark.parametrize("name", ["run", "stacks", "packages", "postgres", "runtime"])
def test_a_file_in_the_place_of_a_directory_of_a_service_is_an_error_that_names_it(
    stack: Checkout, name: str
) -> None:
    path = stack.root / ".local" / name
    with replaced(path, ""):
        text = stack.run("up", "--detach", "--no-frontend", code=1)
        assert str(path) in text
        assert "it is no directory" in text
        assert "Traceback" not in text


def test_a_directory_in_the_place_of_the_lock_is_one_sentence(stack: Checkout) -> None:
    lock = stack.root / ".local/lock"
    lock.unlink(missing_ok=True)
    lock.mkdir()
    try:
        text = stack.run("up", "--detach", code=1)
        assert_one_sentence(text, lock, "has to be a file")
    finally:
        lock.rmdir()


def test_a_directory_that_cannot_be_written_is_one_sentence(stack: Checkout) -> None:
    directory = stack.root / ".local"
    with mounted(directory, "ro"):
        text = stack.run("up", "--detach", code=1)
        assert_one_sentence(text, directory, "mounted read-only")


@pytest.mark.parametrize("size", ["4k", "16k", "64k", "1m"])
def test_a_full_disk_is_an_error_that_says_so(stack: Checkout, size: str) -> None:
    with mounted(stack.root / ".local", f"size={size}"):
        text = stack.run("up", "--detach", "--no-frontend", code=1)
    assert str(stack.root) in text
    assert "full" in text
    assert "Traceback" not in text


@pytest.mark.parametrize("attached", [True, False])
def test_a_supervisor_that_does_not_start_is_reported_with_the_end_of_its_log(
    stack: Checkout, attached: bool
) -> None:
    module = stack.root / "stack/local/cloud.py"
    source = module.read_text()
    module.write_text("raise ImportError('broken dependency')\n" + source)
    try:
        text = stack.run("up", *([] if attached else ["--detach"]), code=1)
    finally:
        module.write_text(source)
    assert str(stack.root / ".local/supervisor.log") in text
    assert text.strip().endswith("ImportError: broken dependency")
