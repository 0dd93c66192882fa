"""What `up` shows: a live table of resources on a terminal, plain lines elsewhere."""

import argparse
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from stack.cli.plain import plain

STEPS = {
    "same": "unchanged",
    "create": "create",
    "update": "update",
    "replace": "replace",
    "delete": "delete",
}
DOING = {
    "create": "creating",
    "update": "updating",
    "replace": "replacing",
    "delete": "deleting",
    "same": "unchanged",
}
DONE = {
    "create": "created",
    "update": "updated",
    "replace": "replaced",
    "delete": "deleted",
    "same": "unchanged",
}
COLOURS = {"planned": "dim", "running": "yellow", "done": "green", "failed": "red"}


class Progress(Protocol):
    """Shows the supervisor's lines (see `stack.local.system.events`)."""

    def show(self, event: Mapping[str, Any]) -> None: ...

    def say(self, text: str) -> None: ...


@contextmanager
def progress(options: argparse.Namespace) -> Generator[Progress]:
    """A live table on a terminal, else plain lines."""
    console = Console()
    if not console.is_terminal:
        yield _Lines(options)
        return
    table = _Table(console, options)
    with table.live:
        yield table


def state(event: Mapping[str, Any]) -> str:
    """A resource's state in a word, with seconds where it took some."""
    if event["status"] == "planned":
        return STEPS[event["step"]]
    if event["status"] == "failed":
        return f"failed after {event['seconds']:.1f} s"
    if event["status"] == "running":
        return DOING[event["step"]]
    return DONE[event["step"]] + (f" ({event['seconds']:.1f} s)" if event["step"] != "same" else "")


def summary(resources: Mapping[str, Mapping[str, Any]]) -> str:
    """`18 unchanged, 2 updated`."""
    counted: dict[str, int] = {}
    for event in resources.values():
        word = DONE[event["step"]] if event["status"] == "done" else event["status"]
        counted[word] = counted.get(word, 0) + 1
    return ", ".join(f"{count} {word}" for word, count in counted.items())


def outputs_lines(outputs: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Outputs in columns, secrets masked."""
    width = max(map(len, outputs), default=0)
    return [
        f"    {name:<{width}}  {'[secret]' if item['secret'] else plain(item['value'])}"
        for name, item in outputs.items()
    ]


class _Base:
    """What both ways of showing keep."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.resources: dict[str, Mapping[str, Any]] = {}
        self.outputs: Mapping[str, Any] = {}

    def show(self, event: Mapping[str, Any]) -> None:
        match event["kind"]:
            case "resource":
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
            case _:
                pass

    def resource(self, event: Mapping[str, Any]) -> None:
        raise NotImplementedError

    def say(self, text: str) -> None:
        print(text, flush=True)

    def fail(self, text: str) -> None:
        print(f"error: {text}", file=sys.stderr, flush=True)

    def ready(self, seconds: float) -> None:
        print("\n".join(self.closing(seconds)), flush=True)

    def closing(self, seconds: float) -> list[str]:
        end = (
            "It runs in the background: `stack logs -f`, `stack down`."
            if self.options.detach
            else "Ctrl-C stops it."
        )
        watched = " Saved changes are served." if self.options.watch else ""
        return [
            "Outputs:",
            *outputs_lines(self.outputs),
            "",
            f"Resources: {summary(self.resources)}. The API answers after {seconds:.1f} s.{watched} {end}",
        ]


class _Lines(_Base):
    """One line for each change."""

    def resource(self, event: Mapping[str, Any]) -> None:
        if event["status"] not in ("planned",) and event["step"] != "same":
            print(f"{state(event):<22} {event['type']} {event['name']}", flush=True)


class _Table(_Base):
    """A table that is redrawn; messages scroll above it."""

    def __init__(self, console: Console, options: argparse.Namespace) -> None:
        super().__init__(options)
        self.console = console
        self.begun: dict[str, float] = {}
        self.live = Live(
            get_renderable=self._render, console=console, refresh_per_second=8, transient=False
        )

    def resource(self, event: Mapping[str, Any]) -> None:
        if event["status"] == "running":
            self.begun[event["urn"]] = time.monotonic()

    def say(self, text: str) -> None:
        self.console.print(Text(text, style="dim"))

    def fail(self, text: str) -> None:
        self.console.print(Text(f"error: {text}", style="red"))

    def ready(self, seconds: float) -> None:
        self.live.update(self._render(), refresh=True)
        self.live.stop()
        self.console.print("\n".join(self.closing(seconds)), highlight=False, markup=False)

    def _render(self) -> RenderableType:
        if not self.resources:
            return Text("Evaluating the program …", style="dim")
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
        for column in ("Resource", "Type", "State"):
            table.add_column(column, no_wrap=True, overflow="ellipsis")
        shown = list(self.resources.values())
        room = max(self.console.height - 4, 5)
        busy = [event for event in shown if event["status"] != "done" or event["step"] != "same"]
        for event in (shown if len(shown) <= room else busy)[-room:]:
            text = state(event)
            if event["status"] == "running":
                text += (
                    f" {time.monotonic() - self.begun.get(event['urn'], time.monotonic()):.0f} s"
                )
            table.add_row(event["name"], event["type"], Text(text, style=COLOURS[event["status"]]))
        return table
