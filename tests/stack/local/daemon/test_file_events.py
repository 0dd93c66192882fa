"""When `stack up --watch` looks at the files."""

import errno
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import psutil
import pytest

from stack.local.daemon.watch import Watch
from stack.local.system import events, file_events
from stack.local.system.file_events import silent_file_system

FILE = Path("service/handler.py")
IN_TIME_S = 4.5
"""Less than the interval at which the files are looked at without a notification."""


class Watched:
    """A `Watch` that runs in a thread, on a project of a few files."""

    def __init__(self, root: Path) -> None:
        self.root, self.looks, self.deployed = root, 0, threading.Event()
        (root / FILE).parent.mkdir()
        (root / FILE).write_text("VALUE = 1\n")
        (root / "frontend/app").mkdir(parents=True)
        self.cancelled = threading.Event()
        self.watch = Watch(
            root, cast("Any", SimpleNamespace(outputs={}, redeploy=None)), cast("Any", None),
            self.attempt, self.cancelled,
        )  # fmt: skip
        snapshot = self.watch.snapshot

        def counted() -> dict[Path, list[int]]:
            self.looks += 1
            return snapshot()

        self.watch.snapshot = counted

    def attempt(self, _deploy: Callable[[], None]) -> bool:
        self.deployed.set()
        return True

    @contextmanager
    def running(self) -> Iterator["Watched"]:
        thread = threading.Thread(target=self.watch.run)
        thread.start()
        try:
            yield self
        finally:
            self.cancelled.set()
            thread.join(10)
        assert not thread.is_alive()

    def settle(self) -> int:
        """Wait until nothing is looked at for a while; return the looks up to then."""
        looks = -1
        while looks != self.looks or not looks:
            looks = self.looks
            time.sleep(0.15)
        return looks

    def serves(self, change: Callable[[], object]) -> bool:
        """Return whether a change was deployed by its notification."""
        self.settle()
        self.deployed.clear()
        change()
        return self.deployed.wait(IN_TIME_S)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    with Watched(tmp_path).running() as watched:
        yield watched


def save_atomically(path: Path, text: str) -> None:
    new = path.with_name(f".{path.name}.swp")
    new.write_text(text)
    new.replace(path)


def test_files_and_directories_are_deployed_as_they_change(watched: Watched) -> None:
    service, app = watched.root / "service", watched.root / "frontend/app"
    assert watched.serves(lambda: (watched.root / FILE).write_text("VALUE = 2\n"))
    assert watched.serves(lambda: save_atomically(watched.root / FILE, "VALUE = 3\n"))
    assert watched.serves(lambda: (watched.root / FILE).unlink())
    assert watched.serves(lambda: (app / "page.tsx").write_text("1"))
    assert watched.serves(lambda: (watched.root / "Pulumi.local.yaml").write_text("config: {}\n"))
    (service / "routes/deep").mkdir(parents=True)
    assert watched.serves(lambda: (service / "routes/deep/one.py").write_text("ONE = 1\n"))
    assert watched.serves(lambda: (service / "routes").rename(service / "renamed"))
    assert watched.serves(lambda: (service / "renamed/deep/one.py").write_text("ONE = 2\n"))
    assert watched.serves(lambda: shutil.rmtree(service / "renamed"))


def test_a_directory_that_is_replaced_by_another_of_its_name_is_watched_again(
    watched: Watched,
) -> None:
    app = watched.root / "frontend/app"
    (app / "page.tsx").write_text("1")

    def replace() -> None:
        shutil.rmtree(app)
        app.mkdir()
        (app / "page.tsx").write_text("22")

    assert watched.serves(replace)
    assert watched.serves(lambda: (app / "page.tsx").write_text("333"))
    new = watched.root / "new"
    shutil.copytree(watched.root / "service", new)

    def swap() -> None:
        (watched.root / "service").rename(watched.root / "old")
        new.rename(watched.root / "service")
        (watched.root / FILE).write_text("VALUE = 'new'\n")

    assert watched.serves(swap)
    assert watched.serves(lambda: (watched.root / FILE).write_text("VALUE = 'newer'\n"))


def test_hundreds_of_files_of_a_checkout_are_one_change(watched: Watched) -> None:
    deployments: list[int] = []
    watched.watch._attempt = lambda _: bool(deployments.append(1)) or watched.attempt(_)  # pyright: ignore[reportPrivateUsage]

    def checkout() -> None:
        for number in range(300):
            path = watched.root / f"service/package{number % 20}/module{number}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"NUMBER = {number}\n")

    assert watched.serves(checkout)
    watched.settle()
    assert len(deployments) <= 2


def test_without_a_change_the_files_are_seldom_looked_at(watched: Watched) -> None:
    before = watched.settle()
    (watched.root / "frontend/node_modules").mkdir()
    watched.settle()
    for number in range(20):
        (watched.root / f"frontend/node_modules/{number}").write_text("")
    time.sleep(1)
    assert watched.looks - before <= 3, "at an interval of 0.1 s there are more than ten"


@pytest.mark.parametrize("reason", ["network", "limit"])
def test_without_notifications_changes_are_looked_for_and_a_sentence_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    said: list[str] = []
    monkeypatch.setattr(events, "message", said.append)
    if reason == "network":
        monkeypatch.setattr(file_events, "silent_file_system", lambda _: "nfs4")
    else:

        def refuse(*_: object) -> None:
            raise OSError(errno.ENOSPC, "OS file watch limit reached.")

        monkeypatch.setattr(file_events._rust_notify, "RustNotify", refuse)
    with Watched(tmp_path).running() as watched:
        (tmp_path / FILE).write_text("VALUE = 2\n")
        assert watched.deployed.wait(IN_TIME_S)
    [sentence] = [text for text in said if "--watch reads the state of all files" in text]
    expected = {"network": "changes on nfs4 are not always notified", "limit": "watch limit"}
    assert expected[reason] in sentence


@pytest.mark.parametrize(
    ("mounted", "expected"),
    [
        ({"/": "ext4"}, ""),
        ({"/": "overlay", "/shared/me/project": "fuse.sshfs"}, "fuse.sshfs"),
        ({"/": "ext4", "/shared": "nfs4", "/shared/me": "xfs"}, ""),
        ({"/": "ext4", "/shared/me/project/frontend": "9p"}, "9p"),
        ({"/": "apfs", "/shared/me": "smbfs"}, "smbfs"),
        ({"/": "ext4", "/shared": "fuseblk"}, ""),
        ({}, ""),
    ],
)
def test_network_file_systems_and_those_of_a_virtual_machines_host_are_known(
    monkeypatch: pytest.MonkeyPatch, mounted: dict[str, str], expected: str
) -> None:
    found = [SimpleNamespace(mountpoint=at, fstype=kind) for at, kind in mounted.items()]
    monkeypatch.setattr(psutil, "disk_partitions", lambda **_: found)
    root = Path("/shared/me/project")
    assert silent_file_system([root / "service", root / "frontend"]) == expected
