"""The two sides of a comparison: the files of a commit in a directory of their own, and those of the checkout as they are."""

import io
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from common.errors import UserError


class UnknownRevisionError(UserError):
    """Git knows no such commit."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """A program and its files. label: what to call it. commit: the full hash, "" for files that are not committed."""

    label: str
    root: Path
    commit: str
    edited: bool = False

    @property
    def shown(self) -> str:
        return f"{self.commit[:12]}{' with uncommitted changes' if self.edited else ''}"


def head(root: Path) -> Side:
    """The checkout as it stands, uncommitted changes included."""
    edited = bool(_git(root, "status", "--porcelain", "--untracked-files=normal").strip())
    return Side(
        label="head",
        root=root,
        commit=_git(root, "rev-parse", "HEAD").decode().strip(),
        edited=edited,
    )


def base(root: Path, revision: str, into: Path) -> Side:
    """The files of a commit, written below `into`: nothing in the repository is touched, no hook or filter of it runs.

    Raises `UnknownRevisionError` for what names no commit.
    """
    commit = resolve(root, revision)
    archive = _git(root, "archive", "--format=tar", commit)
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(into, filter="data")
    return Side(label="base", root=into, commit=commit)


def resolve(root: Path, revision: str) -> str:
    """The full hash of the commit that a revision names."""
    _git(root, "rev-parse", "--git-dir")
    try:
        return (
            _git(
                root,
                "rev-parse",
                "--verify",
                "--quiet",
                "--end-of-options",
                f"{revision}^{{commit}}",
            )
            .decode()
            .strip()
        )
    except UserError:
        raise UnknownRevisionError(
            f"--base {revision}: git knows no such commit here. Name a branch, a tag or a commit; in a shallow clone fetch it first, "
            "such as `git fetch --unshallow origin`"
        ) from None


def _git(root: Path, *arguments: str) -> bytes:
    try:
        return subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            check=True,
            stdin=subprocess.DEVNULL,
        ).stdout
    except FileNotFoundError:
        raise UserError("`stack report` compares commits, so it needs git on the PATH") from None
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines()
        raise UserError(
            f"git {arguments[0]} failed: {said[-1] if said else f'exit code {error.returncode}'}"
        ) from None
