"""Runs Pulumi's own engine in tests: `stack pulumi` in a copy of the checkout."""

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
    reason="`pulumi` is not on the PATH, so Pulumi's own engine cannot be tested",
)
SECRET, PLAIN = "4dabf18193072939515e22adb298388d", "plaintext"


class Engine:
    """`stack pulumi` of one checkout, for the stack `name`.

    changed_files: whether `edited` or `added` has changed a file since the last deployment.
    """

    def __init__(self, copy: Checkout, name: str = "local") -> None:
        self.copy, self.name = copy, name
        self.changed_files = False

    @property
    def root(self) -> Path:
        return self.copy.root

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run a command and return its output of both streams."""
        return self.copy.run("pulumi", "--no-frontend", *arguments, "--stack", self.name, code=code)

    def json(self, *arguments: str) -> Any:
        """Run a command and return its standard output as JSON."""
        process = self.copy.start(
            "pulumi", "--no-frontend", *arguments, "--stack", self.name, stderr=-1
        )
        out, errors = process.communicate(timeout=checkout.PATIENCE_S)
        assert process.returncode == 0, f"{out[-3000:]}\n{errors}\n{self.copy.log()}"
        return json.loads(out)

    def preview(self) -> dict[str, str]:
        """Return the planned operation of each resource that would change."""
        steps = self.json("preview", "--json")["steps"]
        return {_name(step["urn"]): step["op"] for step in steps if step["op"] != "same"}

    def up(self, command: str = "up", *arguments: str) -> dict[str, str]:
        """Update, and return the operations of each resource that has changed."""
        text = self.run(command, "--yes", "--skip-preview", "--json", *arguments)
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
        """Return the custom resources of the state by name, secrets in the clear."""
        found = self.export("--show-secrets").get("resources", [])
        return {
            _name(item["urn"]): item
            for item in found
            if item["custom"] and "pulumi:providers:" not in item["type"]
        }

    def records(self) -> dict[str, set[str]]:
        """Return the ids of this stack's records in the local cloud, by kind."""
        path = self.root / ".local/cloud.json"
        kinds = json.loads(path.read_text()) if path.exists() else {}
        prefix = f"urn:pulumi:{self.name}::"
        found = {
            kind: {key for key, record in records.items() if record["owner"].startswith(prefix)}
            for kind, records in kinds.items()
        }
        return {kind: keys for kind, keys in found.items() if keys}

    @contextlib.contextmanager
    def edited(self, path: str, change: Callable[[str], str]) -> Iterator[None]:
        """Change the text of a source file, and restore it at the end."""
        file = self.root / path
        before = file.read_text()
        after = change(before)
        assert after != before, "the edit changes nothing"
        file.write_text(after)
        self.changed_files = True
        try:
            yield
        finally:
            file.write_text(before)

    @contextlib.contextmanager
    def added(self, path: str, text: str) -> Iterator[None]:
        """Write a file, and restore the former one at the end."""
        file = self.root / path
        before = file.read_text() if file.exists() else None
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        self.changed_files = True
        try:
            yield
        finally:
            file.unlink()
            if before is not None:
                file.write_text(before)

    def configured(self, **keys: Any) -> contextlib.AbstractContextManager[None]:
        """Write the local configuration, and restore the former one at the end."""
        return self.added(".local/config.yaml", json.dumps(keys))


@contextlib.contextmanager
def engine(directory: Path) -> Iterator[Engine]:
    """Yield an engine in a checkout of its own, which is reset at the end."""
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
    """Return a value of an exported state without its secret wrappers."""
    if isinstance(value, dict):
        return (
            json.loads(value[PLAIN])
            if PLAIN in value and SECRET in value
            else {key: revealed(item) for key, item in value.items()}
        )
    return [revealed(item) for item in value] if isinstance(value, list) else value


def _name(urn: str) -> str:
    return urn.rpartition("::")[2]


def read_files(root: Path, pattern: str) -> str:
    """Return the content of all readable files below `root`, as one text."""
    return "\n".join(
        path.read_text(errors="replace")
        for path in root.rglob(pattern)
        if path.is_file() and os.access(path, os.R_OK)
    )
