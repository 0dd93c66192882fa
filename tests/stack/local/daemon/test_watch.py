"""Which changes `stack up --watch` sees."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from stack.local.daemon.watch import Watch
from stack.local.resources import sdk

FILE = Path("service/handler.py")


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    (tmp_path / FILE).parent.mkdir()
    (tmp_path / FILE).write_text("VALUE = 1\n")
    services = cast("Any", None)
    return Watch(tmp_path, services, services, lambda _: True, threading.Event())


def write_in_place(path: Path) -> None:
    path.write_text("VALUE = 2\n")


def replace(path: Path) -> None:
    new = path.with_name("new")
    new.write_text("VALUE = 2\n")
    new.replace(path)


@pytest.mark.parametrize("save", [write_in_place, replace])
def test_a_change_that_keeps_size_and_time_is_seen(
    tmp_path: Path, watch: Watch, save: Callable[[Path], None]
) -> None:
    path = tmp_path / FILE
    before, status = watch.snapshot(), path.stat()
    save(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns) == (status.st_size, status.st_mtime_ns)
    now = watch.snapshot()
    assert before.keys() == now.keys() == {FILE}
    assert before != now


def test_files_of_editors_and_links_that_lead_nowhere_are_no_change(
    tmp_path: Path, watch: Watch
) -> None:
    before = watch.snapshot()
    directory = (tmp_path / FILE).parent
    for name in (".handler.py.swp", "4913", "handler.py~", "#handler.py#", ".DS_Store"):
        (directory / name).write_text("unsaved")
    (directory / ".#handler.py").symlink_to("user@host.123:456")
    (directory / "dead.py").symlink_to("nowhere.py")
    (directory / "loop.py").symlink_to("loop.py")
    (directory / ".vscode").mkdir()
    (directory / ".vscode/settings.json").write_text("{}")
    assert watch.snapshot() == before


def test_a_program_module_is_imported_again_although_its_size_and_second_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    module = tmp_path / "watched_program.py"

    def imported(text: str) -> int:
        module.write_text(text)
        os.utime(module, (1_000_000_000, 1_000_000_000))
        namespace: dict[str, Any] = {}
        exec("from watched_program import VALUE", namespace)
        sdk.forget_modules(tmp_path, ["watched_program"])
        return namespace["VALUE"]

    assert [imported("VALUE = 1\n"), imported("VALUE = 2\n")] == [1, 2]
