"""The local database server outlives none of its holders, and its data every end of it."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from common.errors import UserError
from stack.local.neon.postgres import data_directory
from stack.local.neon.postgres.server import Postgres
from stack.local.system.processes import AbandonedError
from tests.support.database_server import FAST, ask, connected, fill, guarded, is_gone, postmaster

ROOT = Path(__file__).parents[4]


def test_data_outlives_a_stop_and_a_start(own_postgres: Postgres) -> None:
    own_postgres.start()
    url = fill(own_postgres)
    with connected(url):  # an open session does not hold up the stop
        own_postgres.stop()
    assert not own_postgres.running
    assert "database system is shut down" in own_postgres.log_file.read_text()
    own_postgres.stop()
    own_postgres.start()
    assert ask(url, "SELECT id FROM orders") == [(1,)]
    own_postgres.start()
    assert ask(url, "SELECT id FROM orders") == [(1,)]


def test_committed_rows_outlive_a_server_that_was_killed(
    own_postgres: Postgres, postgres_home: Path
) -> None:
    own_postgres.start()
    url = fill(own_postgres)
    killed = postmaster(postgres_home / "cluster" / "data")
    killed.kill()
    while own_postgres.running:
        time.sleep(0.01)
    own_postgres.start()
    assert postmaster(postgres_home / "cluster" / "data").pid != killed.pid
    assert "automatic recovery in progress" in own_postgres.log_file.read_text()
    assert ask(url, "SELECT id FROM orders") == [(1,)]


def test_nothing_runs_a_second_after_its_holder_was_killed_and_no_commit_is_lost(
    postgres_home: Path, free_port: int
) -> None:
    code = f"""if True:
        import psycopg2
        from pathlib import Path
        from stack.local.neon.postgres.server import Postgres
        from stack.local.system.processes import Guard
        guard = Guard(Path({str(postgres_home.parent / "run")!r}))
        guard.start()
        server = Postgres(Path({str(postgres_home)!r}), guard, port={free_port})
        server.start()
        server.create_role("writer", "secret")
        server.create_database("ledger", "writer")
        link = psycopg2.connect(server.url("writer", "secret", "ledger"))
        cursor = link.cursor()
        cursor.execute("CREATE TABLE entries (id int)")
        for number in range(1_000_000):
            cursor.execute("INSERT INTO entries VALUES (%s)", (number,))
            link.commit()
            print(number, flush=True)
    """
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=ROOT)
    assert holder.stdout is not None
    try:
        while holder.stdout.readline() != b"50\n":
            assert holder.poll() is None
        running = psutil.Process(holder.pid).children(recursive=True)
        assert {process.name() for process in running} >= {"postgres"}
    finally:
        holder.kill()
        killed_at = time.monotonic()
        last = int([b"50", *holder.stdout.read().split()][-1])
        holder.wait()
        holder.stdout.close()
    while not all(is_gone(process) for process in running):
        assert time.monotonic() - killed_at < 1
        time.sleep(0.005)
    with guarded(postgres_home.parent) as guard:
        server = Postgres(postgres_home, guard, port=free_port)
        server.start()
        count = ask(
            server.url("writer", "secret", "ledger"), "SELECT count(*), max(id) FROM entries"
        )
        server.stop()
    assert count in ([(last + 1, last)], [(last + 2, last + 1)])


def test_a_server_left_over_on_the_data_is_ended_first(postgres_home: Path, free_port: int) -> None:
    with guarded(postgres_home.parent) as guard:
        server = Postgres(postgres_home, guard, port=free_port, settings=FAST)
        server.start()
        url = fill(server)
        left = postmaster(postgres_home / "cluster" / "data")
        with connected(url):
            left.suspend()
            second = Postgres(postgres_home, guard, port=free_port, settings=FAST)
            second.start()
        assert not left.is_running() or is_gone(left)
        assert second.notes == [
            f"Ended a Postgres (process {left.pid}) that still ran on the data."
        ]
        assert ask(url, "SELECT id FROM orders") == [(1,)]
        second.stop()
        server.stop()


def test_a_stale_pid_file_that_names_another_process_ends_nothing(
    own_postgres: Postgres, postgres_home: Path
) -> None:
    own_postgres.start()
    url = fill(own_postgres)
    own_postgres.stop()
    data = postgres_home / "cluster" / "data"
    user = data_directory.find_data_directory(postgres_home).user
    bystander = subprocess.Popen(["sleep", "60"], **(user.popen() if user else {}))
    try:
        (data / "postmaster.pid").write_text(
            f"{bystander.pid}\n{data}\n1700000000\n{own_postgres.port}\n\nlocalhost\n  1 2\nready\n"
        )
        own_postgres.start()
        assert own_postgres.notes == []
        assert bystander.poll() is None
        assert ask(url, "SELECT id FROM orders") == [(1,)]
    finally:
        bystander.kill()
        bystander.wait()


def test_a_taken_port_is_named_with_its_holder(own_postgres: Postgres) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", own_postgres.port))
        other.listen()
        with pytest.raises(
            UserError,
            match=rf"Port {own_postgres.port} for the local database is taken by .*\(process {os.getpid()}\)",
        ):
            own_postgres.start()
    own_postgres.start()
    assert own_postgres.running


def test_a_first_start_that_was_broken_off_leaves_nothing_half_done(
    own_postgres: Postgres, postgres_home: Path
) -> None:
    cancelled = threading.Event()
    threading.Timer(0.1, cancelled.set).start()
    with pytest.raises(AbandonedError):
        own_postgres.start(cancelled)
    assert not own_postgres.running
    assert [entry.name for entry in postgres_home.iterdir()] == []
    leftover = postgres_home / "cluster.1234"
    (leftover / "cluster" / "data").mkdir(parents=True)
    own_postgres.start()
    assert ask(own_postgres.admin_url, "SELECT 1") == [(1,)]
    assert not leftover.exists()


def test_data_of_another_major_version_is_refused_and_kept(
    own_postgres: Postgres, postgres_home: Path
) -> None:
    own_postgres.start()
    own_postgres.stop()
    version = postgres_home / "cluster" / "data" / "PG_VERSION"
    found = version.read_text()
    version.write_text("12\n")
    with pytest.raises(
        UserError, match=rf"is of PostgreSQL 12, this checkout has {found.strip()}.*`stack reset`"
    ):
        own_postgres.start()
    version.write_text(found)
    own_postgres.start()


@pytest.mark.parametrize("missing", ["superuser-password", "data/PG_VERSION"])
def test_a_damaged_cluster_is_named(
    own_postgres: Postgres, postgres_home: Path, missing: str
) -> None:
    (postgres_home / "cluster" / "data").mkdir(parents=True)
    (postgres_home / "cluster" / "superuser-password").write_text("secret")
    (postgres_home / "cluster" / "data" / "PG_VERSION").write_text(
        data_directory.version().partition(".")[0]
    )
    (postgres_home / "cluster" / missing).unlink()
    if missing.startswith("data/"):
        (postgres_home / "cluster" / "data").rmdir()
    with pytest.raises(UserError, match=f"damaged, .*{missing} is missing.*`stack reset`"):
        own_postgres.start()


def test_a_server_that_does_not_start_says_why(postgres_home: Path, free_port: int) -> None:
    with guarded(postgres_home.parent) as guard:
        server = Postgres(
            postgres_home, guard, port=free_port, settings={"max_connections": "many"}
        )
        with pytest.raises(
            UserError, match='invalid value for parameter "max_connections": "many"'
        ) as error:
            server.start()
        assert str(server.log_file) in str(error.value)
        assert not server.running


def test_reset_ends_a_server_that_still_runs_and_deletes_its_data(
    own_postgres: Postgres, postgres_home: Path
) -> None:
    own_postgres.start()
    running = postmaster(postgres_home / "cluster" / "data")
    Postgres.remove(postgres_home)
    assert is_gone(running)
    assert not postgres_home.exists()
    Postgres.remove(postgres_home)


def test_the_superusers_password_is_in_a_private_file(
    own_postgres: Postgres, postgres_home: Path
) -> None:
    own_postgres.start()
    file = postgres_home / "cluster" / "superuser-password"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.stat().st_uid == os.geteuid()
    assert file.read_text() in own_postgres.admin_url
    assert len(file.read_text()) >= 32


AWKWARD = [
    "it's",
    'say "x"',
    "100%",
    "a@b:c/d?e#f&g=h",
    " spaces ",
    "back\\slash",
    "ünïcödé→",
    "$1 %s {}",
    "semi;colon--",
    "+",
]


def test_the_records_of_children_are_gone_after_an_orderly_end(
    own_postgres: Postgres, postgres_home: Path
) -> None:
    own_postgres.start()
    records = [
        json.loads(path.read_text()) for path in (postgres_home.parent / "run").glob("*.json")
    ]
    assert [(record["what"], record["stop"]) for record in records] == [("Postgres", signal.SIGINT)]
    own_postgres.stop()
    assert list((postgres_home.parent / "run").iterdir()) == []
