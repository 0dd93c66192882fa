"""What `stack up` prints: states on a narrow terminal, signs of life, the closing lines."""

import argparse
import sys
from typing import Any

import pytest
from rich.console import Console

from stack.cli.event_printers import LinePrinter, TablePrinter
from stack.cli.main import main

OPTIONS = argparse.Namespace(detach=True, watch=False, frontend=True)
LONGEST = {
    "urn": "urn",
    "type": "vercel:index/projectEnvironmentVariable:ProjectEnvironmentVariable",
    "name": "site-environment-variable-of-a-long-name",
    "seconds": 12.3,
}
OUTPUTS = {
    "api_url": {"value": "http://localhost:20000", "secret": False},
    "frontend_url": {"value": "http://localhost:20001", "secret": False},
}


@pytest.mark.parametrize(
    ("step", "status", "word"),
    [
        ("create", "running", "creating 0 s"),
        ("create", "done", "created (12.3 s)"),
        ("replace", "running", "replacing 0 s"),
        ("replace", "done", "replaced (12.3 s)"),
        ("update", "failed", "failed after 12.3 s"),
    ],
)
def test_a_table_of_80_columns_shows_the_whole_state(step: str, status: str, word: str):
    console = Console(width=80, height=24, force_terminal=True, color_system=None)
    printer = TablePrinter(console, OPTIONS)
    printer.show({"kind": "resource", "step": step, "status": status, **LONGEST})
    with console.capture() as shown:
        console.print(printer._render())
    row = shown.get().splitlines()[1]
    assert row.rstrip().endswith(word)
    assert row.startswith("site-env")


def closing(capsys: pytest.CaptureFixture[str], **options: Any) -> list[str]:
    printer = LinePrinter(argparse.Namespace(**{**vars(OPTIONS), **options}))
    printer.show({"kind": "outputs", "outputs": OUTPUTS})
    for step, status in (
        ("replace", "planned"),
        ("replace", "running"),
        ("replace", "done"),
        ("delete", "running"),
        ("delete", "done"),
    ):
        printer.show({"kind": "resource", "step": step, "status": status, **LONGEST})
    for status in ("running", "done"):
        gone = {**LONGEST, "urn": "gone"}
        printer.show({"kind": "resource", "step": "delete", "status": status, **gone})
    printer.show({"kind": "ready", "seconds": 3.14})
    text = capsys.readouterr().out
    return text[text.index("Open ") :].splitlines()


def test_the_address_to_open_comes_first_and_replacements_are_counted(
    capsys: pytest.CaptureFixture[str],
):
    lines = closing(capsys)
    assert lines[0] == "Open http://localhost:20001"
    assert lines[-1].startswith("Resources: 1 replaced, 1 deleted. The API answers after 3.1 s.")
    assert closing(capsys, frontend=False)[0] == "Open http://localhost:20000"


def test_the_last_line_names_commands_that_work_as_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MAKELEVEL", "1")
    assert "`make logs ARGS=-f`, `make down`" in closing(capsys)[-1]
    monkeypatch.delenv("MAKELEVEL")
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "argv", [".venv/bin/stack", "up"])
    assert "`.venv/bin/stack logs -f`, `.venv/bin/stack down`" in closing(capsys)[-1]


def test_a_wait_is_printed_with_what_is_being_created(capsys: pytest.CaptureFixture[str]):
    printer = LinePrinter(OPTIONS)
    printer.show({"kind": "waiting", "seconds": 4.2})
    printer.show({"kind": "resource", "step": "create", "status": "running", **LONGEST})
    printer.show({"kind": "waiting", "seconds": 8.1})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "  … 4 s"
    assert lines[-1] == f"  … 8 s creating {LONGEST['name']}"


@pytest.mark.parametrize(
    ("typed", "meant"), [("staus", "status"), ("dwon", "down"), ("log", "logs")]
)
def test_a_misspelt_command_is_refused_with_the_nearest_one(
    typed: str, meant: str, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as ended:
        main([typed])
    assert ended.value.code == 2
    assert f"there is no {typed!r}: did you mean {meant!r}?" in capsys.readouterr().err
