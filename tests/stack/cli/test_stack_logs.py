"""The arguments of `stack logs`."""

import time
from datetime import datetime
from pathlib import Path

import pytest

from stack.cli import commands
from stack.cli.main import main
from stack.local.cloudwatch.logs import LogStore


@pytest.fixture
def root(tmp_path: Path) -> Path:
    group = LogStore(tmp_path / ".local/logs").group("/group")
    for minutes in range(60, 0, -1):
        group.write(f"{minutes} minutes ago", time.time() - 60 * minutes + 5)
    return tmp_path


def printed(root: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert main(["--root", str(root), "logs", *arguments]) == 0
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("arguments", "number"),
    [
        ((), 60),
        (("-n", "3"), 3),
        (("--tail", "all"), 60),
        (("-n", "0"), 0),
        (("--since", "10m"), 10),
        (("--since", "600s", "-n", "4"), 4),
        (("--since", "0h9m60s"), 10),
        (("--since", "2d"), 60),
        (("--since", "2000-01-01"), 60),
        (("--since", "2999-01-01T00:00:00Z"), 0),
    ],
)
def test_logs_are_limited_by_number_and_by_time(
    root: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], number: int
) -> None:
    lines = printed(root, capsys, *arguments)
    assert [line.split()[-3] for line in lines] == [str(ago) for ago in range(number, 0, -1)]


def test_a_time_without_an_offset_is_local_and_one_with_an_offset_is_not() -> None:
    local = commands.time_of_records("2026-12-01T08:30")
    assert local == datetime(2026, 12, 1, 8, 30).astimezone().timestamp()
    assert commands.time_of_records("2026-12-01T08:30Z") == 1_796_113_800


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-n", "-1"), "'-1' is not a number"),
        (("-n", "few"), "'few' is not a number, and not `all`"),
        (("--since", "yesterday"), "'yesterday' is not an age as 90s, 10m, 1h30m or 2d"),
        (("--since", "10"), "is not an age"),
        (("--since", "10 m"), "is not an age"),
    ],
)
def test_other_values_are_refused(
    root: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--root", str(root), "logs", *arguments])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_following_begins_with_the_last_records(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, object]] = []
    monkeypatch.setattr(LogStore, "follow", lambda _, **options: asked.append(options) or ())
    printed(root, capsys, "-f")
    printed(root, capsys, "-f", "-n", "all")
    printed(root, capsys, "-f", "-n", "5")
    printed(root, capsys, "-f", "--since", "2000-01-01T00:00Z")
    since = 946_684_800.0
    assert asked == [
        {"since": None, "last": 20},
        {"since": None, "last": None},
        {"since": None, "last": 5},
        {"since": since, "last": None},
    ]
