"""Limits of logs that processes append to."""

import os
from pathlib import Path

import pytest

from stack.local.system import files


def test_a_log_keeps_two_times_its_limit_while_a_process_appends_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "LOG_BYTES", 1_000)
    path = tmp_path / "supervisor.log"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for number in range(500):
        os.write(descriptor, f"line {number:04}\n".encode())
        files.limit_log(path)
    os.close(descriptor)
    older = tmp_path / "supervisor.log.1"
    assert path.stat().st_size + older.stat().st_size <= 2_020
    text = older.read_text() + path.read_text()
    numbers = [int(line.split()[1]) for line in text.splitlines()]
    assert numbers == list(range(500 - len(numbers), 500))
    assert len(numbers) >= 100
    assert older.stat().st_mode & 0o777 == 0o600


def test_a_log_that_does_not_exist_is_no_error(tmp_path: Path) -> None:
    files.limit_log(tmp_path / "none.log")
    assert list(tmp_path.iterdir()) == []
