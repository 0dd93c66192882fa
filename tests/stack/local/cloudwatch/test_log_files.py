"""Reading the files of log groups in pieces."""

import random
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stack.local.cloudwatch.logs import LogStore
from tests.support.project_files import ROOT

START = 1_795_440_000.0


def line(seconds: float, message: str) -> str:
    moment = datetime.fromtimestamp(START + seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S.%fZ} {message}\n"


def write(home: Path, name: str, records: list[tuple[float, str]]) -> Path:
    path = home / f"{name}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.writelines(
            line(seconds, message.replace("\n", "\n\t")) for seconds, message in records
        )
    return path


@pytest.fixture
def expected(tmp_path: Path) -> list[tuple[float, str]]:
    """Write files that overlap, with records over several pieces; return what is in them."""
    generator = random.Random(1)
    everything: list[tuple[float, str]] = []
    for number in range(12):
        records = [
            (
                round(number * 50 + generator.randrange(10**8) / 1e6, 6),
                f"{number} "
                + "\n".join("x" * generator.choice([0, 5, 300]) for _ in range(3))
                + ("y" * 70_000 + "\n" + "z" * 70_000 if index % 97 == 5 else ""),
            )
            for index in range(200)
        ]
        records.sort()
        # Written by several processes, a little out of order.
        shuffled = sorted(records, key=lambda record: record[0] + generator.random() * 0.4)
        write(tmp_path, f"group{number % 3}/stream{number}", shuffled)
        everything += records
    return sorted(everything)


def found(store: LogStore, **options: float) -> list[tuple[float, str]]:
    records = store.records(**options)  # pyright: ignore[reportArgumentType]
    return [(round(record.timestamp - START, 6), record.message) for record in records]


def test_records_are_merged_by_time_whatever_their_length(
    tmp_path: Path, expected: list[tuple[float, str]]
) -> None:
    assert found(LogStore(tmp_path)) == expected


@pytest.mark.parametrize("number", [0, 1, 7, 200, 10_000])
def test_the_last_records_are_those_at_the_end_of_all_records(
    tmp_path: Path, expected: list[tuple[float, str]], number: int
) -> None:
    assert found(LogStore(tmp_path), last=number) == (expected[-number:] if number else [])


@pytest.mark.parametrize("since", [-1.0, 0.0, 17.3, 333.3, 649.0, 1e6])
def test_records_since_a_time_are_all_of_them_from_then_on(
    tmp_path: Path, expected: list[tuple[float, str]], since: float
) -> None:
    later = [record for record in expected if record[0] >= since]
    assert found(LogStore(tmp_path), since=START + since) == later
    assert found(LogStore(tmp_path), since=START + since, last=5) == later[-5:]


def test_following_after_the_last_records_yields_each_new_one_once(tmp_path: Path) -> None:
    path = write(tmp_path, "group/a", [(1, "one"), (2, "two"), (3, "three")])
    with path.open("a") as file:
        file.write(line(4, "not comp")[:-1])
    stop = threading.Event()
    records = LogStore(tmp_path).follow(last=2, stop=stop)
    assert [next(records).message for _ in range(2)] == ["two", "three"]
    with path.open("a") as file:
        file.write("lete\n")
    write(tmp_path, "group/b", [(6, "six")])
    write(tmp_path, "new/deep/c", [(7, "seven")])
    assert {next(records).message for _ in range(3)} == {"not complete", "six", "seven"}
    path.unlink()
    write(tmp_path, "group/d", [(8, "eight")])
    assert next(records).message == "eight"
    stop.set()
    assert list(records) == []


def test_following_begins_when_there_are_no_logs_yet(tmp_path: Path) -> None:
    stop = threading.Event()
    store = LogStore(tmp_path / "logs")
    records = store.follow(stop=stop)
    threading.Timer(0.3, store.group("/group").write, ["first"]).start()
    assert next(records).message == "first"
    stop.set()


def test_large_logs_are_read_in_little_memory(tmp_path: Path) -> None:
    text = "x" * 300
    for number in range(40):
        write(tmp_path, f"group/stream{number}", [(number + n / 4000, text) for n in range(3000)])
    program = (
        "import resource, sys; from pathlib import Path; "
        "from stack.local.cloudwatch.logs import LogStore; "
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; "
        "found = sum(1 for _ in LogStore(Path(sys.argv[1])).records()); "
        "after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; "
        "print(found, (after - before) * (1 if sys.platform == 'darwin' else 1024))"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    number, grown = map(int, finished.stdout.split())
    assert number == 120_000
    assert grown < 12 * 1024 * 1024, "of 40 MB"
