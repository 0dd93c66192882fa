"""How the interpreter for the bytecode is found: candidates are run, and none is downloaded."""

import subprocess
import sys
from pathlib import Path

import pytest

from bundle import Target, compiler
from bundle.interpreter import Interpreter, find_interpreter, this_interpreter, verify
from common.errors import UserError

COMPILER = Path(compiler.__file__)
THIS = f"{sys.version_info.major}.{sys.version_info.minor}"
ABSENT = "3.99"


@pytest.fixture
def no_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return variables under which no Python is found: empty directories of PATH, uv and pyenv."""
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "uv"))
    return {"PATH": f"{tmp_path / 'one'}:{tmp_path / 'two'}", "PYENV_ROOT": str(tmp_path / "pyenv")}


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def python(path: Path, version: str, *, build: str = "cpython", level: str = "final") -> Path:
    return script(path, rf"printf 'interpreter\t{build}\t{level}\t{version}\t%s\n' {path}")


def test_this_interpreter_is_used_for_its_own_version() -> None:
    assert find_interpreter(THIS, {}) == this_interpreter()
    assert this_interpreter().minor == THIS


def test_a_real_interpreter_is_verified() -> None:
    assert verify(Path(sys.executable), THIS) == Interpreter(
        sys.executable, ".".join(map(str, sys.version_info[:3]))
    )


def test_the_newest_patch_release_of_all_directories_is_used(
    tmp_path: Path, no_python: dict[str, str]
) -> None:
    python(tmp_path / "one" / f"python{ABSENT}", "3.99.2")
    python(tmp_path / "two" / f"python{ABSENT}", "3.99.3")
    python(tmp_path / "pyenv" / "versions" / "3.99.1" / "bin" / f"python{ABSENT}", "3.99.1")
    newest = python(
        tmp_path / "uv" / "cpython-3.99.10-linux" / "bin" / f"python{ABSENT}", "3.99.10"
    )
    assert find_interpreter(ABSENT, no_python) == Interpreter(str(newest), "3.99.10")
    newest.unlink()
    assert find_interpreter(ABSENT, no_python).version == "3.99.3"


def test_a_version_of_pyenv_is_found_although_its_shim_fails(
    tmp_path: Path, no_python: dict[str, str]
) -> None:
    script(
        tmp_path / "one" / f"python{ABSENT}",
        f"echo 'pyenv: python{ABSENT}: command not found' >&2; exit 127",
    )
    real = python(tmp_path / "pyenv" / "versions" / "3.99.1" / "bin" / f"python{ABSENT}", "3.99.1")
    assert find_interpreter(ABSENT, no_python).path == str(real)


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (f'exec {sys.executable} "$@"', f"is cpython {THIS}."),
        ("echo 'Python 3.99.0'", "does not run Python"),
        ("echo 'pyenv: not installed' >&2; exit 127", "pyenv: not installed"),
        (r"printf 'interpreter\tcpythont\tfinal\t3.99.0\tx\n'", "is cpythont 3.99.0 final"),
        (r"printf 'interpreter\tcpython\tcandidate\t3.99.0\tx\n'", "is cpython 3.99.0 candidate"),
        (r"printf 'interpreter\tpypy\tfinal\t3.99.0\tx\n'", "is pypy 3.99.0"),
    ],
)
def test_an_interpreter_that_is_not_what_its_name_says_is_refused(
    tmp_path: Path, no_python: dict[str, str], program: str, reason: str
) -> None:
    path = script(tmp_path / "two" / f"python{ABSENT}", program)
    with pytest.raises(UserError) as caught:
        find_interpreter(ABSENT, no_python)
    assert f"{path}: {reason}" in str(caught.value)


def test_without_an_interpreter_the_error_says_how_to_install_one_or_to_do_without(
    no_python: dict[str, str],
) -> None:
    with pytest.raises(UserError) as caught:
        find_interpreter(ABSENT, no_python)
    text = str(caught.value)
    for advice in (
        "`uv python install 3.99`",
        "`pyenv install 3.99`",
        "python3.99;",
        "`pulumi config set bytecode false`",
    ):
        assert advice in text


def test_the_host_target_has_the_platform_and_version_of_this_machine() -> None:
    host = Target.host()
    assert host.python == THIS
    assert host.name == f"{host.platform}-{THIS}"


@pytest.mark.parametrize(
    ("architecture", "version"),
    [("x86", "3.13"), ("arm64", "3.9"), ("arm64", "3.13.1"), ("arm64", "")],
)
def test_a_target_that_lambda_does_not_have_is_refused(architecture: str, version: str) -> None:
    with pytest.raises(UserError, match="use "):
        Target(architecture=architecture, python=version)  # pyright: ignore[reportArgumentType]


def test_bytecode_does_not_depend_on_how_the_standard_library_was_loaded(tmp_path: Path) -> None:
    source = tmp_path / "module.py"
    source.write_text(
        f"CHARACTERS = {[chr(code_point) for code_point in range(256)]!r}\n", encoding="utf-8"
    )
    compiled: list[bytes] = []
    for shell in (
        {},
        {"PYTHONPYCACHEPREFIX": str(tmp_path / "empty"), "PYTHONDONTWRITEBYTECODE": "1"},
    ):
        bytecode = tmp_path / "module.pyc"
        (tmp_path / "manifest").write_text(f"{source}\0{bytecode}\0/opt/module.py\n")
        subprocess.run(
            [sys.executable, "-S", "-s", "-P", COMPILER, tmp_path / "manifest"],
            env=shell,
            check=True,
        )
        compiled.append(bytecode.read_bytes())
    assert compiled[0] == compiled[1]


def test_a_directory_of_versions_that_cannot_be_read_is_skipped(
    no_python: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_path: Path, _pattern: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "glob", refuse)  # root, who may run these tests, may read everything
    with pytest.raises(UserError, match=f"needs CPython {ABSENT}"):
        find_interpreter(ABSENT, no_python)
