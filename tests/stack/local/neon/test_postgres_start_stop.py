"""Tests how the local database server starts and ends, and that its data remain."""

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
from tests.support.database_server import (
    FAST,
    connected,
    create_orders,
    query,
    server_process,
)
from tests.support.processes import guarded, is_gone
from tests.support.project_files import ROOT


def test_a_stopped_server_keeps_its_data(own_postgres: Postgres) -> None:
    own_postgres.start()
    url = create_orders(own_postgres)
    with connected(url):  # an open session does not delay the stop
        own_postgres.stop()
    assert not own_postgres.running
    assert "database system is shut down" in own_postgres.log_file.read_text()
    own_postgres.stop()
    own_postgres.start()
    assert query(url, "SELECT id FROM orders") == [(1,)]
    own_postgres.start()
    assert query(url, "SELECT id FROM orders") == [(1,)]


def test_a_server_that_was_killed_keeps_committed_rows(
    own_postgres: Postgres, postgres_home: Path
) -> None:
    own_postgres.start()
    url = create_orders(own_postgres)
    killed = server_process(postgres_home / "cluster" / "data")
    killed.kill()
    while own_postgres.running:
        time.sleep(0.01)
    own_postgres.start()
    assert server_process(postgres_home / "cluster" / "data").pid != killed.pid
    assert "automatic recovery in progress" in own_postgres.log_file.read_text()
    assert query(url, "SELECT id FROM orders") == [(1,)]


def test_the_server_ends_within_a_second_of_a_killed_supervisor_and_loses_no_commit(
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
    supervisor = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=ROOT)
    assert supervisor.stdout is not None
    try:
        while supervisor.stdout.readline() != b"50\n":
            assert supervisor.poll() is None
        running = psutil.Process(supervisor.pid).children(recursive=True)
        assert {process.name() for process in running} >= {"postgres"}
    finally:
        supervisor.kill()
        killed_at = time.monotonic()
        last = int([b"50", *supervisor.stdout.read().split()][-1])
        supervisor.wait()
        supervisor.stdout.close()
    while not all(is_gone(process) for process in running):
        assert time.monotonic() - killed_at < 1
        time.sleep(0.005)
    with guarded(postgres_home.parent) as guard:
        server = Postgres(postgres_home, guard, port=free_port)
        server.start()
        count = query(
            server.url("writer", "secret", "ledger"), "SELECT count(*), max(id) FROM entries"
        )
        server.stop()
    assert count in ([(last + 1, last)], [(last + 2, last + 1)])


def test_a_leftover_server_on_the_data_is_ended_first(postgres_home: Path, free_port: int) -> None:
    with guarded(postgres_home.parent) as guard:
        server = Postgres(postgres_home, guard, port=free_port, settings=FAST)
        server.start()
        url = create_orders(server)
        leftover_server = server_process(postgres_home / "cluster" / "data")
        with connected(url):
            leftover_server.suspend()
            second = Postgres(postgres_home, guard, port=free_port, settings=FAST)
            second.start()
        assert not leftover_server.is_running() or is_gone(leftover_server)
        assert second.notes == [
            f"Ended a Postgres (process {leftover_server.pid}) that still ran on the data."
        ]
        assert query(url, "SELECT id FROM orders") == [(1,)]
        second.stop()
        server.stop()


def test_the_process_of_a_stale_pid_file_is_left_alone(
    own_postgres: Postgres, postgres_home: Path
) -> None:
    own_postgres.start()
    url = create_orders(own_postgres)
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
        assert query(url, "SELECT id FROM orders") == [(1,)]
    finally:
        bystander.kill()
        bystander.wait()


def test_the_error_for_a_port_in_use_names_the_process(own_postgres: Postgres) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", own_postgres.port))
        other.listen()
        with pytest.raises(
            UserError,
            match=rf"Port {own_postgres.port} for the local database is taken by .*"
            rf"\(process {os.getpid()}\)",
        ):
            own_postgres.start()
    own_postgres.start()
    assert own_postgres.running


def test_a_first_start_that_was_cancelled_leaves_no_files(
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
    assert query(own_postgres.admin_url, "SELECT 1") == [(1,)]
    assert not leftover.exists()


def test_data_of_another_major_version_is_refused_and_not_changed(
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
def test_the_error_for_a_damaged_cluster_names_the_missing_file(
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


def test_the_error_for_a_failed_start_has_the_servers_message(
    postgres_home: Path, free_port: int
) -> None:
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


def test_remove_ends_a_running_server_and_deletes_its_data(
    own_postgres: Postgres, postgres_home: Path
) -> None:
    own_postgres.start()
    running = server_process(postgres_home / "cluster" / "data")
    Postgres.remove(postgres_home)
    assert is_gone(running)
    assert not postgres_home.exists()
    Postgres.remove(postgres_home)


def test_only_the_owner_can_read_the_superusers_password(
    own_postgres: Postgres, postgres_home: Path
) -> None:
    own_postgres.start()
    file = postgres_home / "cluster" / "superuser-password"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.stat().st_uid == os.geteuid()
    assert file.read_text() in own_postgres.admin_url
    assert len(file.read_text()) >= 32


def test_a_stopped_server_leaves_no_record_of_its_process(
    own_postgres: Postgres, postgres_home: Path
) -> None:
    own_postgres.start()
    records = [
        json.loads(path.read_text()) for path in (postgres_home.parent / "run").glob("*.json")
    ]
    assert [(record["what"], record["stop"]) for record in records] == [("Postgres", signal.SIGINT)]
    own_postgres.stop()
    assert list((postgres_home.parent / "run").iterdir()) == []
