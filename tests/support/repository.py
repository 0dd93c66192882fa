"""A copy of the checkout that is a Git repository, in which tests change the program."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bundle import Target
from tests.support import checkout
from tests.support.checkout import ROOT, Checkout

IDENTITY = {
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.com",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.com",
}


@dataclass(frozen=True)
class Repository:
    """`stack` in a repository with one commit, tagged `base`."""

    checkout: Checkout

    @property
    def root(self) -> Path:
        return self.checkout.root

    def git(self, *arguments: str) -> str:
        own = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        command = ["git", "-C", str(self.root), *arguments]
        return subprocess.run(
            command,
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, **IDENTITY, **own},
        ).stdout

    def replace(self, file: str, old: str, new: str) -> None:
        path = self.root / file
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {file}"
        path.write_text(text.replace(old, new), encoding="utf-8")

    def write(self, file: str, text: str) -> None:
        path = self.root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "change")


def make(root: Path) -> Repository:
    """Create a repository of the program below `root`.

    It gets the cloud bundle of this checkout, if there is one, which saves the report a build.
    """
    copy = checkout.make(root)
    for name in ("Pulumi.prod.yaml", ".gitignore"):
        shutil.copy(ROOT / name, root / name)
    shutil.copytree(ROOT / "sdks", root / "sdks", ignore=checkout.NOT_COPIED)
    built = Target(architecture="arm64", python="3.13").directory
    if (ROOT / built / "report.json").exists():
        shutil.copytree(ROOT / built, root / built, dirs_exist_ok=True)
    repository = Repository(
        Checkout(
            copy.root,
            {"AWS_SECRET_ACCESS_KEY": "never-used-here", "NEON_API_KEY": "never-used-here"},
        )
    )
    repository.git("init", "--quiet", "--initial-branch", "main")
    repository.commit()
    repository.git("tag", "base")
    return repository
