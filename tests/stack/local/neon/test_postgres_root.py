"""Tests that root runs the local database server as another user, in any checkout."""

import os
import pwd
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from common.errors import UserError
from stack.local.neon.postgres import data_directory
from stack.local.neon.postgres.server import Postgres
from tests.support.database_server import FAST, create_orders, query, server_process
from tests.support.processes import guarded
from tests.support.project_files import ROOT

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root runs the server as another user"
)


@pytest.mark.parametrize("filled", [False, True])
def test_the_error_for_a_full_disk_names_it_and_no_files_remain(
    postgres_home: Path, free_port: int, filled: bool
) -> None:
    postgres_home.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m,mode=0711", "none", postgres_home]
    mount = subprocess.run(command, capture_output=True, text=True, check=False)
    if mount.returncode != 0:
        pytest.skip(f"no small disk can be mounted here: {mount.stderr.strip()}")
    try:
        (postgres_home / "other").write_bytes(bytes(8 << 20 if filled else 1))
        with (
            guarded(postgres_home.parent) as guard,
            pytest.raises(UserError, match=f"disk .*{postgres_home}.* is full"),
        ):
            Postgres(postgres_home, guard, port=free_port).start()
        assert [entry.name for entry in postgres_home.iterdir()] == ["other"]
    finally:
        subprocess.run(["umount", postgres_home], check=True)


def test_root_runs_the_server_as_a_system_user_that_cannot_log_in(
    own_postgres: Postgres, postgres_home: Path
) -> None:
    own_postgres.start()
    user = pwd.getpwuid(server_process(postgres_home / "cluster" / "data").uids().real)
    assert user.pw_name in {data_directory.USER, "nobody"}
    assert user.pw_shell.endswith(("nologin", "false"))
    assert server_process(postgres_home / "cluster" / "data").uids().saved == user.pw_uid


def test_without_a_system_user_the_server_runs_as_nobody_and_the_notes_have_the_reason(
    own_postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_directory, "USER", "no-such-user-yet")
    monkeypatch.setenv("PATH", "")
    own_postgres.start()
    assert own_postgres.notes == [
        "The system user no-such-user-yet could not be created (there is neither useradd nor "
        "adduser), so Postgres runs as nobody."
    ]
    assert query(own_postgres.admin_url, "SELECT 1") == [(1,)]
    assert data_directory.find_data_directory(
        own_postgres.log_file.parent
    ).user == data_directory.OsUser(pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("nobody").pw_gid)


def test_data_below_var_lib_follows_a_checkout_that_is_moved_and_not_one_that_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_directory, "SYSTEM", tmp_path / "var-lib")
    first, copied, moved = (
        tmp_path / name / ".local/postgres" for name in ("first", "copied", "moved")
    )
    first.parent.parent.mkdir(mode=0o700)
    root = data_directory.find_data_directory(first).root
    assert root == data_directory.private_directory(first)
    (root / "cluster/data").mkdir(parents=True)
    (root / "cluster/data/PG_VERSION").write_text("18")
    shutil.copytree(first.parent.parent, copied.parent.parent)
    assert not (data_directory.find_data_directory(copied).root / "cluster").exists()
    first.parent.parent.rename(moved.parent.parent)
    found = data_directory.find_data_directory(moved)
    assert found.root == data_directory.private_directory(moved)
    assert (found.data / "PG_VERSION").read_text() == "18"
    assert not root.exists()


def test_in_a_closed_checkout_programs_and_data_are_in_a_private_directory(
    tmp_path: Path, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = tmp_path / "closed"
    package = data_directory.programs().parent.parent
    for source in (package, package.with_name(f"{package.name}.libs")):
        if source.exists():
            shutil.copytree(
                source,
                checkout / "venv" / source.name,
                ignore=shutil.ignore_patterns("include", "*.a"),
                copy_function=_link,
            )
    checkout.chmod(0o700)
    closed = checkout / "venv" / data_directory.programs().relative_to(package.parent)
    monkeypatch.setattr(data_directory, "programs", lambda: closed)
    home = checkout / ".local" / "postgres"
    directory = data_directory.private_directory(home)
    try:
        with guarded(home.parent) as guard:
            server = Postgres(home, guard, port=free_port, settings=FAST)
            server.start()
            url = create_orders(server)
            process = server_process(directory / "cluster" / "data")
            assert Path(process.exe()).is_relative_to(directory)
            assert (directory.stat().st_uid, stat.S_IMODE(directory.stat().st_mode)) == (0, 0o711)
            assert (
                directory.parent.stat().st_uid,
                stat.S_IMODE(directory.parent.stat().st_mode),
            ) == (
                0,
                0o711,
            )
            assert (directory / "home").read_text() == f"{home}\n"
            server.stop()
            programs = directory / f"programs-{data_directory.version()}"
            copied = programs.stat().st_ctime_ns
            server.start()
            assert programs.stat().st_ctime_ns == copied
            assert query(url, "SELECT id FROM orders") == [(1,)]
            server.stop()
    finally:
        Postgres.remove(home)
    assert not directory.exists()
    assert not home.exists()


def test_data_that_root_copied_with_the_checkout_is_given_to_the_system_user(
    postgres_home: Path, free_port: int
) -> None:
    with guarded(postgres_home.parent) as guard:
        original = Postgres(postgres_home, guard, port=free_port, settings=FAST)
        original.start()
        create_orders(original)
        original.stop()
        copy = postgres_home.with_name("copy")
        shutil.copytree(postgres_home, copy)
        try:
            assert (copy / "cluster" / "data").stat().st_uid == 0
            server = Postgres(copy, guard, port=free_port, settings=FAST)
            server.start()
            assert query(server.url("owner", "secret", "shop"), "SELECT id FROM orders") == [(1,)]
            server.stop()
        finally:
            Postgres.remove(copy)


def test_the_error_for_a_home_that_was_closed_says_what_to_do(
    own_postgres: Postgres, postgres_home: Path
) -> None:
    own_postgres.start()
    own_postgres.stop()
    postgres_home.parent.chmod(0o700)
    try:
        with pytest.raises(UserError, match=r"can no longer enter .*chmod o\+x"):
            own_postgres.start()
    finally:
        postgres_home.parent.chmod(0o711)
    own_postgres.start()


def test_another_users_data_is_refused(postgres_home: Path, free_port: int) -> None:
    with guarded(postgres_home.parent) as guard:
        server = Postgres(postgres_home, guard, port=free_port, settings=FAST)
        server.start()
        server.stop()
    code = f"""if True:
        import os
        from pathlib import Path
        from common.errors import UserError
        from stack.local.neon.postgres import data_directory
        from stack.local.neon.postgres.server import Postgres
        from stack.local.system.processes import Guard
        guard = Guard(Path({str(postgres_home.parent / "run")!r}))
        server = Postgres(Path({str(postgres_home)!r}), guard, port={free_port})
        data_directory.programs()
        os.setuid(65534)
        for operation in (server.start, lambda: Postgres.remove(Path({str(postgres_home)!r}))):
            try:
                operation()
            except UserError as error:
                print(error)
    """
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout.count("belongs to another user") == 2
    assert (postgres_home / "cluster" / "data").exists()


def _link(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target
