"""The two sides of a comparison: the files of a commit, and the checkout with its edits."""

import io
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from common.errors import UserError


class UnknownRevisionError(UserError):
    """The revision names no commit of the repository."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """A program and its files.

    label: "base" or "head". commit: the full hash. edited: whether the files differ from it.
    """

    label: str
    root: Path
    commit: str
    edited: bool = False

    @property
    def title(self) -> str:
        """The abbreviated hash, with a note on uncommitted changes."""
        return f"{self.commit[:12]}{' with uncommitted changes' if self.edited else ''}"


def head(root: Path) -> Side:
    """Return the checkout with its uncommitted changes."""
    edited = bool(_git(root, "status", "--porcelain", "--untracked-files=normal").strip())
    return Side(
        label="head",
        root=root,
        commit=_git(root, "rev-parse", "HEAD").decode().strip(),
        edited=edited,
    )


def base(root: Path, revision: str, into: Path) -> Side:
    """Write the files of a commit below `into`.

    `git archive` changes nothing in the repository and runs no hook. Raises `UnknownRevisionError`
    for a revision that names no commit.
    """
    commit = resolve(root, revision)
    archive = _git(root, "archive", "--format=tar", commit)
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(into, filter="data")
    return Side(label="base", root=into, commit=commit)


def resolve(root: Path, revision: str) -> str:
    """Return the full hash of the commit that a revision names."""
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
            f"--base {revision}: git knows no such commit here. Name a branch, a tag or a commit; "
            "in a shallow clone fetch it first, such as `git fetch --unshallow origin`"
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
        lines = error.stderr.decode(errors="replace").strip().splitlines()
        reason = lines[-1] if lines else f"exit code {error.returncode}"
        raise UserError(f"git {arguments[0]} failed: {reason}") from None
