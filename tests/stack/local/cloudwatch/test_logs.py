"""Log groups as files."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from stack.local.cloudwatch.logs import LogStore, Record


@pytest.fixture
def store(tmp_path: Path) -> LogStore:
    return LogStore(tmp_path / "logs")


def test_a_group_is_a_directory_and_a_record_a_line_with_its_time(store: LogStore) -> None:
    store.group("/aws/lambda/api").write("hello\n", 1_795_440_000.25)
    [path] = (store.home / "aws/lambda/api").iterdir()
    assert path.read_text() == "2026-11-23T13:20:00.250000Z hello\n"
    assert path.stat().st_mode & 0o077 == 0, "logs are private"


def test_a_group_without_records_has_no_file(store: LogStore) -> None:
    store.group("/aws/lambda/api")
    assert list(store.records()) == []
    assert not store.home.exists()


@pytest.mark.parametrize(
    "message",
    [
        "one line",
        "two\nlines",
        "an empty\n\nline",
        "\ttabs\n\tand more",
        "2026-11-23T00:00:00Z like a time",
        "",
    ],
)
def test_records_are_read_as_they_were_written(store: LogStore, message: str) -> None:
    group = store.group("/group")
    for number, text in enumerate(["before", message, "after"]):
        group.write(text, 1000.5 + number)
    expected = [
        Record(1000.5 + number, "/group", text)
        for number, text in enumerate(["before", message, "after"])
    ]
    assert list(store.records()) == expected


def test_carriage_returns_become_lines_of_one_record(store: LogStore) -> None:
    group = store.group("/group")
    group.write("[ERROR]\rTraceback\r\nend\r\n")
    assert [record.message for record in store.records()] == ["[ERROR]\nTraceback\nend"]


def test_records_of_all_groups_are_merged_by_time(store: LogStore) -> None:
    for name, times in {
        "/aws/lambda/api": (1, 4),
        "/aws/lambda/migrate": (2,),
        "/aws/apigateway/api": (3, 5),
    }.items():
        group = store.group(name)
        for seconds in times:
            group.write(str(seconds), seconds)
    assert [record.message for record in store.records()] == ["1", "2", "3", "4", "5"]


def test_following_yields_old_records_and_then_those_of_other_processes_and_new_groups(
    store: LogStore,
) -> None:
    group = store.group("/group")
    group.write("there before", 1)
    stop, seen = threading.Event(), list[str]()

    def follow() -> None:
        seen.extend(
            record.message
            for record in store.follow(stop=stop)
            if not (record.message == "last" and stop.set())
        )

    follower = threading.Thread(target=follow)
    follower.start()
    source = f"""
from pathlib import Path
from stack.local.cloudwatch.logs import LogStore
store = LogStore(Path({str(store.home)!r}))
for name in ("old", "new"):
    group = store.group("/group")
    group.write(f"to the {{name}} one")
group = store.group("/another")
group.write("last")
"""
    subprocess.run([sys.executable, "-c", source], check=True, cwd=Path(__file__).parents[4])
    follower.join(10)
    assert not follower.is_alive()
    assert seen[0] == "there before"
    assert {*seen} == {"there before", "to the old one", "to the new one", "last"}
    assert len(seen) == 4


def test_a_record_is_yielded_when_its_line_ends_and_a_truncated_file_is_read_from_its_start(
    store: LogStore,
) -> None:
    path = store.home / "group" / "stream.log"
    path.parent.mkdir(parents=True)
    path.write_text("2026-11-23T00:00:00.000000Z whole\n2026-11-23T00:00:01.000000Z ha")
    stop = threading.Event()
    records = store.follow(stop=stop)
    assert next(records).message == "whole"
    with path.open("a") as file:
        file.write("lf\n")
    assert next(records).message == "half"
    path.write_text("2026-11-23T00:00:02.000000Z again\n")
    assert next(records).message == "again"
    path.unlink()
    stop.set()
    assert list(records) == []


@pytest.mark.parametrize("name", ["/../outside", "a//b", "", "/", "/a/", "/a b", "/a/./b"])
def test_a_group_name_that_aws_refuses_or_that_leaves_the_directory_is_refused(
    store: LogStore, name: str
) -> None:
    with pytest.raises(ValueError, match="log group"):
        store.group(name)


def test_a_removed_group_has_no_directories_and_the_next_record_creates_them_again(
    store: LogStore,
) -> None:
    group = store.group("/aws/lambda/api")
    other = store.group("/aws/lambda/other")
    group.write("before")
    other.write("stays")
    store.group("/aws/lambda/api").remove()
    assert not (store.home / "aws/lambda/api").exists()
    assert [record.message for record in store.records()] == ["stays"]
    group.write("after")
    assert sorted(record.message for record in store.records()) == ["after", "stays"]
    for group in ("/aws/lambda/api", "/aws/lambda/other"):
        store.group(group).remove()
    assert list(store.home.rglob("*")) == []


def test_a_group_below_another_one_stays_when_that_is_removed(store: LogStore) -> None:
    store.group("/a").write("above")
    store.group("/a/b").write("below")
    store.group("/a").remove()
    assert [record.message for record in store.records()] == ["below"]
