"""How large the files of log groups get, how many there are, and when they are removed."""

import itertools
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stack.local.cloudwatch import logs
from stack.local.cloudwatch.logs import LogStore

DAY = 86_400


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 12, 1, 12, tzinfo=UTC).timestamp()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    monkeypatch.setattr(time, "time", clock)
    yield clock


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "logs"


def messages(home: Path) -> list[str]:
    return [record.message for record in LogStore(home).records()]


def files(home: Path) -> list[str]:
    return sorted(path.name for path in home.rglob("*.log"))


def test_processes_that_follow_each_other_write_to_the_same_file(home: Path, clock: Clock) -> None:
    for number in range(20):
        store = LogStore(home)
        store.group("/aws/lambda/api").write(f"function {number}")
        store.group("/aws/lambda/access").write(f"gateway {number}")
        clock.now += 60
    assert len(files(home)) == 2, "one for each group, however often it was started"
    assert len(messages(home)) == 40


def test_a_file_ends_at_its_size_and_at_the_end_of_the_day(
    home: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "FILE_BYTES", 1_000)
    group = LogStore(home).group("/group")
    for number in range(60):
        group.write(f"{number:03} {'x' * 60}")
        clock.now += 1
    sizes = [path.stat().st_size for path in home.rglob("*.log")]
    assert len(sizes) > 4
    assert max(sizes) <= 1_100
    assert [text[:3] for text in messages(home)] == [f"{number:03}" for number in range(60)]
    before = len(sizes)
    clock.now += DAY
    group.write("tomorrow")
    LogStore(home).group("/group").write("tomorrow, by another process")
    assert len(files(home)) == before + 1
    assert messages(home)[-2:] == ["tomorrow", "tomorrow, by another process"]


def test_records_expire_while_the_group_is_written_and_by_their_own_time(
    home: Path, clock: Clock
) -> None:
    store = LogStore(home)
    written, quiet = store.group("/written", retention_days=7), store.group("/quiet", 2)
    quiet.write("of a quiet group")
    kept = store.group("/kept")
    kept.write("without a retention")
    for day in range(30):
        written.write(f"day {day}")
        for path in home.rglob("*.log"):  # a backup or an editor has touched it
            path.touch()
        clock.now += DAY
    expected = ["without a retention", *(f"day {day}" for day in range(22, 30))]
    assert messages(home) == expected
    assert len(files(home)) == 9


def test_files_of_an_earlier_version_expire_by_their_last_record(home: Path, clock: Clock) -> None:
    (home / "group").mkdir(parents=True)
    for age in (1, 40):
        moment = datetime.fromtimestamp(clock.now - age * DAY, UTC)
        text = f"{moment:%Y-%m-%dT%H:%M:%S.%fZ} {age} days\n\tanother line\n"
        (home / f"group/2026-11-23-stream-{age}.log").write_text(text)
    LogStore(home).group("/group", retention_days=30)
    assert messages(home) == ["1 days\nanother line"]


def test_all_groups_together_have_a_limit_and_the_oldest_records_go_first(
    home: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "FILE_BYTES", 1_000)
    monkeypatch.setattr(logs, "TOTAL_BYTES", 5_000)
    store = LogStore(home)
    store.group("/quiet").write("the oldest")
    for number, name in zip(range(200), itertools.cycle("ab"), strict=False):
        clock.now += 1
        store.group(f"/{name}").write(f"{number:03} {'x' * 60}")
    sizes = [path.stat().st_size for path in home.rglob("*.log")]
    assert sum(sizes) <= 5_000 + 2 * 1_100, "and what is being written"
    kept = [int(text[:3]) for text in messages(home)]
    assert kept == list(range(200 - len(kept), 200)), "nothing in between is missing"
    assert len(kept) > 40


def test_a_full_disk_or_a_removed_directory_loses_records_and_raises_nothing(
    home: Path, clock: Clock
) -> None:
    home.write_text("a file is in the way")
    group = LogStore(home).group("/group")
    group.write("lost")
    home.unlink()
    group.write("stored")
    assert messages(home) == ["stored"]
