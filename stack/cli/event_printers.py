"""Prints the events of `stack up`: a live table of resources on a terminal, lines elsewhere."""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from stack.cli.plain import plain

# By step (see `stack.local.system.events`): planned, running, done.
PLANNED = {
    "same": "unchanged",
    "create": "create",
    "update": "update",
    "replace": "replace",
    "delete": "delete",
}
RUNNING = {
    "same": "unchanged",
    "create": "creating",
    "update": "updating",
    "replace": "replacing",
    "delete": "deleting",
}
DONE = {
    "same": "unchanged",
    "create": "created",
    "update": "updated",
    "replace": "replaced",
    "delete": "deleted",
}
NAME_WIDTH = 28
OTHER_WIDTH = NAME_WIDTH + len("failed after 100.0 s") + 3 * len("  ")
"""Columns that are not the type's: a narrow terminal cuts off types, never the state."""
COLOURS = {"planned": "dim", "running": "yellow", "done": "green", "failed": "red"}


@contextmanager
def event_printer(options: argparse.Namespace) -> Generator["EventPrinter"]:
    """Return a printer for the events of a supervisor."""
    console = Console()
    if not console.is_terminal:
        yield LinePrinter(options)
        return
    printer = TablePrinter(console, options)
    with printer.live:
        yield printer


def state(event: Mapping[str, Any]) -> str:
    """Return the state of a resource in a word, with the seconds of an operation that has ended."""
    if event["status"] == "planned":
        return PLANNED[event["step"]]
    if event["status"] == "failed":
        return f"failed after {event['seconds']:.1f} s"
    if event["status"] == "running":
        return RUNNING[event["step"]]
    return DONE[event["step"]] + (f" ({event['seconds']:.1f} s)" if event["step"] != "same" else "")


def summary(resources: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the numbers of resources by state: `18 unchanged, 2 updated`."""
    counts: dict[str, int] = {}
    for event in resources.values():
        word = DONE[event["step"]] if event["status"] == "done" else event["status"]
        counts[word] = counts.get(word, 0) + 1
    return ", ".join(f"{count} {word}" for word, count in counts.items())


def outputs_lines(outputs: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the outputs in columns, with secrets masked."""
    width = max(map(len, outputs), default=0)
    return [
        f"    {name:<{width}}  {'[secret]' if item['secret'] else plain(item['value'])}"
        for name, item in outputs.items()
    ]


def stack_command(name: str) -> str:
    """Return how this user runs a command of `stack`: by make, by the PATH, or by its path."""
    if "MAKELEVEL" in os.environ and name in ("down", "logs"):
        return f"make {name}"
    return f"stack {name}" if shutil.which("stack") else f"{sys.argv[0]} {name}"


def logs_command() -> str:
    """Return the command that prints the logs as they come."""
    command = stack_command("logs")
    return f"{command} ARGS=-f" if command.startswith("make") else f"{command} -f"


class EventPrinter:
    """Remembers resources and outputs, and prints what both forms have in common."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.resources: dict[str, Mapping[str, Any]] = {}
        self.outputs: Mapping[str, Any] = {}

    def show(self, event: Mapping[str, Any]) -> None:
        """Print one event of the supervisor."""
        match event["kind"]:
            case "resource":
                # The old resource of a replacement is deleted at the end; it counts as replaced.
                before = self.resources.get(event["urn"], {}).get("status")
                if event["step"] != "delete" or before in (None, "running"):
                    self.resources[event["urn"]] = event
                self.resource(event)
            case "message":
                self.say(event["text"])
            case "error":
                self.fail(event["text"])
            case "outputs":
                self.outputs = event["outputs"]
            case "ready":
                self.ready(event["seconds"])
            case "waiting":
                self.waiting(event["seconds"])
            case _:
                pass

    def resource(self, event: Mapping[str, Any]) -> None:
        raise NotImplementedError

    def say(self, text: str) -> None:
        print(text, flush=True)

    def fail(self, text: str) -> None:
        print(f"error: {text}", file=sys.stderr, flush=True)

    def ask(self, text: str) -> bool:
        """Ask on the terminal; only y or yes is a yes."""
        return input(f"{text} [y/N] ").strip().lower() in ("y", "yes")

    def ready(self, seconds: float) -> None:
        print("\n".join(self.closing(seconds)), flush=True)

    def waiting(self, seconds: float) -> None:
        """Show that the supervisor goes on, `seconds` after its last event."""

    def closing(self, seconds: float) -> list[str]:
        how_to_stop = (
            f"It runs in the background: `{logs_command()}`, `{stack_command('down')}`."
            if self.options.detach
            else "Ctrl-C stops it."
        )
        watched = " Saved changes are served." if self.options.watch else ""
        address = "frontend_url" if self.options.frontend else "api_url"
        opened = self.outputs.get(address, {}).get("value")
        return [
            *([f"Open {plain(opened)}", ""] if opened else []),
            "Outputs:",
            *outputs_lines(self.outputs),
            "",
            f"Resources: {summary(self.resources)}. The API answers after {seconds:.1f} s."
            f"{watched} {how_to_stop}",
        ]


class LinePrinter(EventPrinter):
    """Prints a line for each change of a resource's state."""

    def waiting(self, seconds: float) -> None:
        busy = [event for event in self.resources.values() if event["status"] == "running"]
        what = ", ".join(f"{state(event)} {event['name']}" for event in busy)
        print(f"  … {seconds:.0f} s{f' {what}' if what else ''}", flush=True)

    def resource(self, event: Mapping[str, Any]) -> None:
        if event["status"] != "planned" and event["step"] != "same":
            print(f"{state(event):<22} {event['type']} {event['name']}", flush=True)


class TablePrinter(EventPrinter):
    """Redraws a table; messages scroll above it."""

    def __init__(self, console: Console, options: argparse.Namespace) -> None:
        super().__init__(options)
        self.console = console
        self.since = time.monotonic()
        self.started: dict[str, float] = {}
        self.live = Live(
            get_renderable=self._render, console=console, refresh_per_second=8, transient=False
        )

    def resource(self, event: Mapping[str, Any]) -> None:
        if event["status"] == "running":
            self.started[event["urn"]] = time.monotonic()

    def say(self, text: str) -> None:
        self.console.print(Text(text, style="dim"))

    def fail(self, text: str) -> None:
        self.console.print(Text(f"error: {text}", style="red"))

    def ask(self, text: str) -> bool:
        self.live.stop()
        accepted = super().ask(text)
        self.live.start()
        return accepted

    def ready(self, seconds: float) -> None:
        self.live.update(self._render(), refresh=True)
        self.live.stop()
        self.console.print("\n".join(self.closing(seconds)), highlight=False, markup=False)

    def _render(self) -> RenderableType:
        if not self.resources:
            seconds = time.monotonic() - self.since
            return Text(f"Evaluating the program … {seconds:.0f} s", style="dim")
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
        table.add_column("Resource", no_wrap=True, max_width=NAME_WIDTH)
        table.add_column("Type", no_wrap=True, max_width=max(self.console.width - OTHER_WIDTH, 10))
        table.add_column("State", no_wrap=True)
        shown = list(self.resources.values())
        height = max(self.console.height - 4, 5)
        busy = [event for event in shown if event["status"] != "done" or event["step"] != "same"]
        for event in (shown if len(shown) <= height else busy)[-height:]:
            text = state(event)
            if event["status"] == "running":
                text += (
                    f" {time.monotonic() - self.started.get(event['urn'], time.monotonic()):.0f} s"
                )
            table.add_row(event["name"], event["type"], Text(text, style=COLOURS[event["status"]]))
        return table
