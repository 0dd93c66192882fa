"""Tests that ports are chosen once and stored, and that they are free."""

import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.errors import UserError
from stack.local.system.ports import Ports, is_free, loopback


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server


def test_chosen_ports_are_free_and_stored_for_the_next_run(tmp_path: Path) -> None:
    path = tmp_path / "ports.json"
    first = Ports(path).choose("local")
    assert first.site == first.api + 1
    assert is_free(first.api, first.site, first.postgres)
    assert first.postgres not in {first.api, first.site}
    assert Ports(path).choose("local") == first


def test_only_the_owner_can_read_the_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "ports.json"
    Ports(path).choose("local")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["ports.json"]


def test_stacks_share_only_the_port_of_postgres(tmp_path: Path) -> None:
    path = tmp_path / "ports.json"
    local, preview = Ports(path).choose("local"), Ports(path).choose("pr-1")
    assert local.postgres == preview.postgres
    assert len({local.api, local.site, preview.api, preview.site, local.postgres}) == 5
    assert Ports(path).choose("local") == local


def test_a_second_stack_gets_the_port_of_the_postgres_that_runs(tmp_path: Path) -> None:
    ports = Ports(tmp_path / "ports.json")
    local = ports.choose("local")
    with socket.socket() as running:
        running.bind(("127.0.0.1", local.postgres))
        running.listen()
        assert ports.choose("pr-1").postgres == local.postgres


def test_a_given_port_replaces_the_stored_one(tmp_path: Path) -> None:
    path = tmp_path / "ports.json"
    Ports(path).choose("local")
    other = Ports(tmp_path / "other.json").choose("local").api
    assert Ports(path).choose("local", port=other).api == other
    assert Ports(path).choose("local").api == other


def test_a_given_port_that_was_the_port_of_postgres_gives_postgres_another(tmp_path: Path) -> None:
    path = tmp_path / "ports.json"
    before = Ports(path).choose("local")
    after = Ports(path).choose("local", port=before.postgres)
    assert after.api == before.postgres
    assert after.postgres not in {after.api, after.site}


@pytest.mark.parametrize("port", [-1, 0, 65_535, 70_000])
def test_a_given_port_out_of_range_is_refused_and_not_stored(tmp_path: Path, port: int) -> None:
    with pytest.raises(UserError, match=f"--port {port}"):
        Ports(tmp_path / "ports.json").choose("local", port=port)
    assert not (tmp_path / "ports.json").exists()


@pytest.mark.parametrize(("offset", "what"), [(0, "the API"), (1, "the site")])
def test_the_error_for_a_port_in_use_names_port_server_process_and_flag(
    tmp_path: Path, listener: socket.socket, offset: int, what: str
) -> None:
    taken = int(listener.getsockname()[1])
    with pytest.raises(UserError) as error:
        Ports(tmp_path / "ports.json").choose("local", port=taken - offset)
    assert f"Port {taken} for {what} is taken by" in str(error.value)
    assert f"(process {os.getpid()})" in str(error.value)
    assert "--port" in str(error.value)


def test_a_stored_port_that_another_program_uses_stays_stored(tmp_path: Path) -> None:
    path = tmp_path / "ports.json"
    stored = Ports(path).choose("local")
    with socket.socket() as other:
        # A connection of another test to this port may have ended a moment ago (TIME_WAIT).
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", stored.api))
        other.listen()
        with pytest.raises(UserError, match=f"Port {stored.api} for the API"):
            Ports(path).choose("local")
    assert Ports(path).choose("local") == stored


def test_a_port_of_postgres_that_is_in_use_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "ports.json"
    stored = Ports(path).choose("local")
    with socket.socket() as other:
        # A connection of another test to this port may have ended a moment ago (TIME_WAIT).
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", stored.postgres))
        other.listen()
        moved = Ports(path).choose("local")
        assert is_free(moved.postgres)
    assert (moved.api, moved.site) == (stored.api, stored.site)


def test_a_port_in_use_on_ipv6_only_is_not_free() -> None:
    if "::1" not in loopback():
        pytest.skip("this machine has no ::1")
    with socket.socket(socket.AF_INET6) as server:
        server.bind(("::1", 0))
        server.listen()
        assert not is_free(server.getsockname()[1])


def test_a_port_with_connections_in_time_wait_is_free() -> None:
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = int(server.getsockname()[1])
        client = socket.create_connection(("127.0.0.1", port))
        accepted, _ = server.accept()
        accepted.close()  # the side that closes first is in TIME_WAIT
        client.close()
    assert is_free(port)


def test_the_error_for_a_port_that_needs_root_gives_the_reason() -> None:
    if (
        os.geteuid() != 0
        or int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) <= 80
    ):
        pytest.skip("needs root, to become another user, on a system that keeps port 80 for root")
    code = """if True:
        import os, sys
        from common.errors import UserError
        from stack.local.system.ports import check_free
        os.setuid(65534)
        try:
            check_free(80, "the API")
        except UserError as error:
            print(error)
    """
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[4],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Port 80 for the API needs root" in run.stdout


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"stacks": {}, "postgres": "x"}',
        '{"stacks": {"local": 70000}, "postgres": 1}',
        '{"stacks": 3, "postgres": 1}',
    ],
)
def test_the_error_for_a_damaged_file_names_it_and_the_file_is_not_changed(
    tmp_path: Path, content: str
) -> None:
    path = tmp_path / "ports.json"
    path.write_text(content)
    with pytest.raises(UserError, match=r"damaged.*Delete it") as error:
        Ports(path).choose("local")
    assert str(path) in str(error.value)
    assert path.read_text() == content


def test_the_file_contains_the_ports_of_the_stacks_and_of_postgres(tmp_path: Path) -> None:
    path = tmp_path / "ports.json"
    chosen = Ports(path).choose("local")
    assert json.loads(path.read_text()) == {
        "stacks": {"local": chosen.api},
        "postgres": chosen.postgres,
    }


def test_the_ports_of_a_forgotten_stack_may_be_used_by_another(tmp_path: Path) -> None:
    path = tmp_path / "ports.json"
    local, removed = Ports(path).choose("local"), Ports(path).choose("pr-1")
    Ports(path).forget("pr-1")
    Ports(path).forget("missing")
    assert set(json.loads(path.read_text())["stacks"]) == {"local"}
    assert Ports(path).choose("pr-2", port=removed.api).api == removed.api
    assert Ports(path).choose("local") == local
