"""Pulumi's own engine against a local cloud of its own, for tests: `stack pulumi` in a copy of the checkout."""

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support import checkout
from tests.support.checkout import Checkout

needs_pulumi = pytest.mark.skipif(
    shutil.which("pulumi") is None,
    reason="`pulumi` is not on the PATH, so the program cannot be tried on Pulumi's own engine",
)
SECRET, PLAIN = "4dabf18193072939515e22adb298388d", "plaintext"


class Engine:
    """One checkout's `stack pulumi`. `name`: the stack that commands are for."""

    def __init__(self, copy: Checkout, name: str = "local") -> None:
        self.copy, self.name = copy, name
        self.touched = False

    @property
    def root(self) -> Path:
        return self.copy.root

    def run(self, *arguments: str, code: int = 0) -> str:
        """What a command says, on both streams."""
        return self.copy.run("pulumi", "--no-frontend", *arguments, "--stack", self.name, code=code)

    def json(self, *arguments: str) -> Any:
        process = self.copy.start(
            "pulumi", "--no-frontend", *arguments, "--stack", self.name, stderr=-1
        )
        out, errors = process.communicate(timeout=checkout.PATIENCE_S)
        assert process.returncode == 0, f"{out[-3000:]}\n{errors}\n{self.copy.log()}"
        return json.loads(out)

    def preview(self) -> dict[str, str]:
        """What a preview would do, by resource; what stays as it is, is left out."""
        steps = self.json("preview", "--json")["steps"]
        return {_name(step["urn"]): step["op"] for step in steps if step["op"] != "same"}

    def up(self, command: str = "up") -> dict[str, str]:
        """What an update has done, by resource; what stays as it is, is left out."""
        text = self.run(command, "--yes", "--skip-preview", "--json")
        done: dict[str, str] = {}
        for line in text.splitlines():
            event = json.loads(line).get("resOutputsEvent") if line.startswith("{") else None
            if event and event["metadata"]["op"] != "same":
                name = _name(event["metadata"]["urn"])
                done[name] = " ".join(filter(None, (done.get(name), event["metadata"]["op"])))
        return done

    def outputs(self) -> Mapping[str, Any]:
        return self.json("stack", "output", "--json", "--show-secrets")

    def export(self, *flags: str) -> Mapping[str, Any]:
        return self.json("stack", "export", *flags)["deployment"]

    def resources(self) -> dict[str, Mapping[str, Any]]:
        """What the state says of the custom resources, by name, secrets in the clear."""
        found = self.export("--show-secrets").get("resources", [])
        return {
            _name(item["urn"]): item
            for item in found
            if item["custom"] and "pulumi:providers:" not in item["type"]
        }

    def records(self) -> dict[str, set[str]]:
        """What exists in the local cloud of this stack, by kind."""
        path = self.root / ".local/cloud.json"
        kinds = json.loads(path.read_text()) if path.exists() else {}
        ours = f"urn:pulumi:{self.name}::"
        found = {
            kind: {key for key, record in records.items() if record["owner"].startswith(ours)}
            for kind, records in kinds.items()
        }
        return {kind: keys for kind, keys in found.items() if keys}

    @contextlib.contextmanager
    def edited(self, path: str, change: Callable[[str], str]) -> Iterator[None]:
        """A source file with other text, put back at the end."""
        file = self.root / path
        before = file.read_text()
        after = change(before)
        assert after != before, "nothing has been changed"
        file.write_text(after)
        self.touched = True
        try:
            yield
        finally:
            file.write_text(before)

    @contextlib.contextmanager
    def added(self, path: str, text: str) -> Iterator[None]:
        """A file, as it was before at the end."""
        file = self.root / path
        before = file.read_text() if file.exists() else None
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        self.touched = True
        try:
            yield
        finally:
            file.unlink()
            if before is not None:
                file.write_text(before)

    def configured(self, **keys: Any) -> contextlib.AbstractContextManager[None]:
        """This machine's own configuration."""
        return self.added(".local/config.yaml", json.dumps(keys))


@contextlib.contextmanager
def engine(directory: Path) -> Iterator[Engine]:
    """A checkout whose local cloud is there for the engine alone, and is deleted at the end."""
    copy = checkout.make(directory / "checkout")
    copy = Checkout(
        copy.root,
        {
            "AWS_SECRET_ACCESS_KEY": "never-used-here",
            "NEON_API_KEY": "never-used-here",
            "PULUMI_STACK": "nonsense",
        },
    )
    try:
        yield Engine(copy)
    finally:
        copy.run("reset", "--yes")


def revealed(value: Any) -> Any:
    """A value of an exported state without its secret wrappers."""
    if isinstance(value, dict):
        return (
            json.loads(value[PLAIN])
            if PLAIN in value and SECRET in value
            else {key: revealed(item) for key, item in value.items()}
        )
    return [revealed(item) for item in value] if isinstance(value, list) else value


def _name(urn: str) -> str:
    return urn.rpartition("::")[2]


def lines_of(root: Path, pattern: str) -> str:
    """All files below the engine's own directory, as one text."""
    return "\n".join(
        path.read_text(errors="replace")
        for path in root.rglob(pattern)
        if path.is_file() and os.access(path, os.R_OK)
    )
