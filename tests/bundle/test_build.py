"""A build: what goes into the zips, when they are built again, and that builds do not overlap."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bundle import Bundle, build, build_code, exclusions
from bundle import __main__ as command
from tests.support.bundle_projects import HOST, OTHER, ROOT, make_project, names, write


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project")


@pytest.fixture
def no_process(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return a function after whose call every start of a process fails the test."""

    def refuse(*arguments: object, **_: object) -> None:
        pytest.fail(f"a process was started: {arguments}")

    return lambda: monkeypatch.setattr(subprocess, "Popen", refuse)


def zips(root: Path, bundle: Bundle) -> list[tuple[int, bytes]]:
    return [
        ((root / path).stat().st_mtime_ns, (root / path).read_bytes())
        for path in (bundle.layer, bundle.code)
    ]


def test_a_bundle_is_two_zips_and_a_report_at_stable_relative_paths(project: Path) -> None:
    bundle = build(project, HOST)
    home = Path(".local", "bundle", HOST.name)
    assert (bundle.layer, bundle.code) == (home / "layer.zip", home / "code.zip")
    assert len(bundle.version) == 12
    assert int(bundle.version, 16) >= 0
    report = json.loads((project / home / "report.json").read_text())
    assert report["target"] == HOST.platform
    assert report["bytecode"] == ".".join(map(str, sys.version_info[:3]))
    assert report["layer"]["zipped"] == (project / bundle.layer).stat().st_size
    assert {package["name"] for package in report["layer"]["packages"]} == {
        "markupsafe",
        "typing-extensions",
    }
    assert report["code"]["packages"][0]["name"] == "service"
    assert "GET / returned 200" in report["smoke_test"]


def test_nothing_is_done_when_nothing_has_changed(
    project: Path, no_process: Callable[[], None]
) -> None:
    first = build(project, HOST)
    before = zips(project, first)
    no_process()
    assert build(project, HOST) == first
    assert zips(project, first) == before


def test_touched_times_alone_rebuild_nothing(project: Path, no_process: Callable[[], None]) -> None:
    first = build(project, HOST)
    before = zips(project, first)
    for path in [*project.joinpath("service").rglob("*"), project / "requirements" / "service.txt"]:
        os.utime(path, (1_000_000_000, 1_000_000_000))
    no_process()
    assert build(project, HOST) == first
    assert zips(project, first) == before


def test_a_change_of_code_leaves_the_layer_as_it_is(project: Path) -> None:
    first = build(project, HOST)
    (layer_before, code_before) = zips(project, first)
    write(project, "service/added.py", "X = 1\n")
    second = build(project, HOST)
    layer_after, code_after = zips(project, second)
    assert layer_after == layer_before
    assert code_after != code_before
    assert second.version != first.version
    assert "service/added.py" in names(project / second.code)


def test_a_change_that_keeps_size_and_modification_time_is_found(project: Path) -> None:
    path = write(project, "service/added.py", "X = 1\n")
    os.utime(path, (1_000_000_000, 1_000_000_000))
    first = build(project, HOST)
    path.write_text("X = 2\n")
    os.utime(path, (1_000_000_000, 1_000_000_000))
    second = build(project, HOST)
    assert second.version != first.version


def test_a_change_of_the_lock_rebuilds_the_layer(project: Path) -> None:
    first = build(project, HOST)
    write(
        project,
        "service/handler.py",
        "def handler(event, context):\n    return {'statusCode': 200}\n",
    )
    write(project, "requirements/service.txt", "")
    second = build(project, HOST)
    assert first.report.layer.packages
    assert second.report.layer.packages == ()
    assert names(project / second.layer) == []


@pytest.mark.parametrize("part", ["layer", "code"])
def test_a_damaged_zip_is_built_again(project: Path, part: str) -> None:
    first = build(project, HOST)
    path = project / (first.layer if part == "layer" else first.code)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"x")
    assert build(project, HOST).version == first.version
    assert path.read_bytes() == whole


def test_the_code_zip_has_sources_and_data_and_no_tests_or_documents(project: Path) -> None:
    for name in (
        "service/queries/accounts.sql",
        "service/data/table.json",
        "service/migrations/0001_first.py",
        "service/tests/test_it.py",
        "service/__pycache__/handler.cpython-39.pyc",
        "service/README.md",
        "service/.env",
        "service/.hidden/file.py",
        "service/handler.py~",
        "service/handler.py.orig",
        "service/stray.pyc",
        "elsewhere.py",
    ):
        write(project, name, "")
    tag = sys.implementation.cache_tag
    sources = ["__init__", "handler", "migrations/0001_first"]
    bytecode = [
        f"service/{directory}__pycache__/{name}.{tag}.pyc"
        for directory, name in (("", "__init__"), ("", "handler"), ("migrations/", "0001_first"))
    ]
    assert names(project / build(project, HOST).code) == sorted(
        [
            *bytecode,
            *(f"service/{name}.py" for name in sources),
            "service/data/table.json",
            "service/queries/accounts.sql",
        ]
    )


def test_a_bundle_without_bytecode_has_sources_only(project: Path) -> None:
    bundle = build(project, OTHER, bytecode=False)
    assert not [
        name
        for path in (bundle.layer, bundle.code)
        for name in names(project / path)
        if name.endswith(".pyc")
    ]
    assert bundle.report.bytecode is None
    assert "no bytecode" in str(bundle.report)


def test_code_bytecode_is_limited_to_a_budget_the_largest_first(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project, "service/migrate.py", "def handler(event, context):\n    return {}\n")
    write(
        project,
        "service/large.py",
        "\n".join(f"def f{n}(): return 'text {n * n}'" for n in range(200)),
    )
    write(project, "service/small.py", "X = 1\n")
    source = (project / build(project, HOST, bytecode=False).code).stat().st_size
    bytecode_size = (project / build(project, HOST).code).stat().st_size - source
    assert [
        Path(name).suffix
        for name in names(project / build(project, HOST).code)
        if "migrate" in name
    ] == [".pyc", ".py"]
    for budget, compiled in (
        (source, set[str]()),
        (source + bytecode_size - 1, {"large", "handler"}),
    ):
        monkeypatch.setattr(exclusions, "CODE_BUDGET", budget)
        shutil.rmtree(project / ".local")
        bundle = build(project, HOST)
        assert (project / bundle.code).stat().st_size <= budget
        bytecode = {
            Path(name).name.split(".")[0]
            for name in names(project / bundle.code)
            if name.endswith(".pyc")
        }
        assert bytecode >= compiled
        assert len(bytecode) < 5


def test_each_target_has_a_directory_of_its_own(project: Path) -> None:
    here, other = build(project, HOST), build(project, OTHER)
    assert here.layer != other.layer
    assert here.report.layer.sha256 != other.report.layer.sha256
    assert "itself" in here.report.smoke_test
    assert f"host build for {HOST.platform}" in other.report.smoke_test


def test_two_builds_at_the_same_time_run_one_after_the_other(project: Path) -> None:
    messages: list[str] = []
    with ThreadPoolExecutor(2) as threads:
        first, second = (
            threads.submit(build, project, HOST, progress=messages.append) for _ in range(2)
        )
    assert first.result() == second.result()
    assert len([line for line in messages if line.startswith("building the layer")]) == 1


def test_a_killed_build_leaves_the_last_zips_and_the_next_build_works(project: Path) -> None:
    first = build(project, HOST)
    before = zips(project, first)
    write(project, "service/handler.py", "import time\ntime.sleep(60)\n")
    command = [sys.executable, "-m", "bundle", "--host"]
    process = subprocess.Popen(
        command,
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("running the smoke test"):
            break
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stderr.close()
    assert zips(project, first) == before
    assert (project / first.layer.parent / "scratch").exists()
    write(
        project,
        "service/handler.py",
        "def handler(event, context):\n    return {'statusCode': 200}\n",
    )
    second = build(project, HOST)
    assert second.version != first.version
    assert not (project / first.layer.parent / "scratch").exists()


def test_progress_has_a_message_for_each_step(project: Path) -> None:
    messages: list[str] = []
    build(project, HOST, progress=messages.append)
    assert [line.split()[0] for line in messages] == ["building", "running"]
    messages.clear()
    build(project, HOST, progress=messages.append)
    assert messages == []


def test_the_command_builds_and_prints_the_report(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    monkeypatch.setattr(sys, "argv", ["bundle", "--host"])
    assert command.main() == 0
    printed = capsys.readouterr().out
    assert f"Bundle for {HOST.platform}, Python {HOST.python}" in printed
    assert "markupsafe 3" in printed
    assert "layer.zip" in printed
    shutil.rmtree(project / "service")
    assert command.main() == 1
    assert "it holds what Lambda runs" in capsys.readouterr().err


def test_a_code_directory_is_named_by_its_content_and_has_no_bytecode(project: Path) -> None:
    write(project, "service/README.md", "no")
    first = build_code(project)
    root = project / first.path
    assert first.path.name == first.version
    assert sorted(path.relative_to(root).as_posix() for path in root.rglob("*.*")) == [
        "service/__init__.py",
        "service/handler.py",
    ]
    assert build_code(project) == first
    write(project, "service/handler.py", "changed = 1\n")
    second = build_code(project)
    assert second.version != first.version
    assert (project / second.path / "service" / "handler.py").read_text() == "changed = 1\n"
    assert (root / "service" / "handler.py").read_text() != "changed = 1\n"


def test_only_the_last_code_directories_are_kept(project: Path) -> None:
    directories = []
    for number in range(12):
        write(project, "service/handler.py", f"X = {number}\n")
        directories.append(project / build_code(project).path)
        time.sleep(0.01)
    assert [path.exists() for path in directories] == [False] * 4 + [True] * 8


def test_zips_have_no_directory_entries_and_fixed_times_and_modes(project: Path) -> None:
    write(project, "service/run.sh", "#!/bin/sh\n").chmod(0o600)
    write(project, "service/table.json", "{}").chmod(0o777)
    bundle = build(project, HOST)
    for path in (bundle.layer, bundle.code):
        with zipfile.ZipFile(project / path) as file:
            entries = file.infolist()
        assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
        assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)
        assert not any(entry.is_dir() for entry in entries)
        assert {entry.filename for entry in entries if entry.external_attr >> 16 != 0o100644} <= {
            "service/run.sh"
        }
    assert entries[-1].filename == "service/table.json"
    assert {
        entry.external_attr >> 16 for entry in entries if entry.filename == "service/run.sh"
    } == {0o100755}


def test_a_state_file_of_an_earlier_version_leads_to_a_full_build(project: Path) -> None:
    first = build(project, HOST)
    before = zips(project, first)
    home = project / first.layer.parent
    state = json.loads((home / "state.json").read_text())
    state["verification_of_before"] = state.pop("smoke_test")
    (home / "state.json").write_text(json.dumps(state))
    (home / "report.json").write_text('{"layer": {"packages": []}}')
    (home / "unpacked-by-an-earlier-version").mkdir()
    shutil.rmtree(next(home.glob("host-layer-*")))
    messages: list[str] = []
    second = build(project, HOST, progress=messages.append)
    assert [line.split()[0] for line in messages] == ["building", "running"]
    assert [content for _, content in zips(project, second)] == [content for _, content in before]
    assert json.loads((home / "report.json").read_text())["smoke_test"]
    assert not (home / "unpacked-by-an-earlier-version").exists()
