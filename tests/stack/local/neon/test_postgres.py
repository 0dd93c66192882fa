"""Tests the local database: login by password, and operations that are idempotent."""

import contextlib
import subprocess
import threading

import psutil
import psycopg2
import pytest

from common.errors import UserError
from stack.local.neon.postgres import data_directory
from stack.local.neon.postgres.server import Postgres
from stack.local.system.ports import loopback
from tests.conftest import Database
from tests.support.database_server import connected, query


def test_the_right_password_is_required(postgres: Postgres, database: Database) -> None:
    assert query(database.url, "SELECT current_user") == [(database.role,)]
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(postgres.url(database.role, "wrong", database.name))
    with pytest.raises(psycopg2.OperationalError, match="no password supplied"):
        psycopg2.connect(f"postgresql://{database.role}@localhost:{postgres.port}/{database.name}")


def test_the_server_listens_on_every_loopback_address_and_on_no_other(postgres: Postgres) -> None:
    pid = int(
        str(
            query(
                postgres.admin_url, "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)"
            )[0][0]
        )
    )
    listening = {
        c.laddr[0]
        for c in psutil.Process(pid).net_connections("tcp")
        if c.status == psutil.CONN_LISTEN
    }
    assert listening == set(loopback())
    assert query(postgres.admin_url, "SHOW unix_socket_directories") == [("",)]


@pytest.mark.parametrize(
    "text",
    [
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
    ],
)
def test_names_and_passwords_with_special_characters_work_in_the_url(
    postgres: Postgres, text: str
) -> None:
    name, role = f"d{text}", f"r{text}"
    try:
        postgres.create_role(role, text)
        postgres.create_database(name, role)
        assert query(postgres.url(role, text, name), "SELECT current_user, current_database()") == [
            (role, name)
        ]
        assert postgres.role_exists(role)
        assert postgres.database_exists(name)
    finally:
        postgres.drop_database(name)
        postgres.drop_role(role)


@pytest.mark.parametrize("name", ["", "x" * 64, "ü" * 32, "a\0b"])
def test_names_that_postgres_would_truncate_are_refused(postgres: Postgres, name: str) -> None:
    for refused in (
        lambda: postgres.create_role(name, "secret"),
        lambda: postgres.create_database(name, "postgres"),
        lambda: postgres.copy_database("postgres", name, "postgres"),
    ):
        with pytest.raises(UserError, match="1 to 63 bytes"):
            refused()


def test_the_servers_own_role_and_databases_are_refused(postgres: Postgres) -> None:
    for refused in (
        lambda: postgres.create_role("postgres", "secret"),
        lambda: postgres.drop_role("postgres"),
        lambda: postgres.create_database("template1", "postgres"),
        lambda: postgres.drop_database("postgres"),
    ):
        with pytest.raises(UserError, match="belongs to the server itself"):
            refused()


@pytest.mark.parametrize("password", ["", "a\0b"])
def test_an_empty_password_or_one_with_a_nul_is_refused(postgres: Postgres, password: str) -> None:
    with pytest.raises(UserError, match="password of the database role 'someone'"):
        postgres.create_role("someone", password)
    assert not postgres.role_exists("someone")


def test_no_password_reaches_the_servers_log(postgres: Postgres, database: Database) -> None:
    with connected(postgres.admin_url) as link, link.cursor() as cursor:
        cursor.execute("ALTER SYSTEM SET log_statement = 'all'")
        cursor.execute("SELECT pg_reload_conf()")
        try:
            postgres.create_role(database.role, "a-very-secret-password")
            seen = postgres.log_file.read_text()
        finally:
            cursor.execute("ALTER SYSTEM RESET log_statement")
            cursor.execute("SELECT pg_reload_conf()")
    assert "ALTER ROLE" in seen
    assert "a-very-secret-password" not in seen


def test_operations_are_idempotent(postgres: Postgres, database: Database) -> None:
    query(database.url, "CREATE TABLE existing AS SELECT 1 AS id")
    postgres.create_role(database.role, database.password)
    postgres.create_database(database.name, database.role)
    assert query(database.url, "SELECT id FROM existing") == [(1,)]
    for _ in range(2):
        postgres.drop_database("missing")
        postgres.drop_role("missing")
    assert not postgres.database_exists("missing")
    assert not postgres.role_exists("missing")


def test_a_new_password_replaces_the_old_one(postgres: Postgres, database: Database) -> None:
    postgres.create_role(database.role, "another")
    assert query(postgres.url(database.role, "another", database.name), "SELECT 1") == [(1,)]
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(database.url)


def test_a_role_has_no_rights_in_the_database_of_another(
    postgres: Postgres, database: Database
) -> None:
    postgres.create_role("stranger", "secret")
    postgres.create_database("strange", "stranger")
    try:
        query(database.url, "CREATE TABLE mine AS SELECT 1 AS id")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            query(postgres.url("stranger", "secret", database.name), "SELECT * FROM mine")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            query(database.url, "CREATE ROLE other")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            query(database.url, "ALTER ROLE stranger PASSWORD 'x'")
    finally:
        postgres.drop_database("strange")
        postgres.drop_role("stranger")


def test_creating_an_existing_database_changes_its_owner(
    postgres: Postgres, database: Database
) -> None:
    postgres.create_role("new_owner", "secret")
    try:
        postgres.create_database(database.name, "new_owner")
        query(postgres.url("new_owner", "secret", database.name), "CREATE TABLE now_mine (id int)")
    finally:
        postgres.create_database(database.name, database.role)
        postgres.drop_database(database.name)
        postgres.drop_role("new_owner")


def test_a_role_that_owns_a_database_is_not_dropped(postgres: Postgres, database: Database) -> None:
    with pytest.raises(UserError, match=f"still owns something: owner of database {database.name}"):
        postgres.drop_role(database.role)
    assert query(database.url, "SELECT 1") == [(1,)]


def test_a_copy_has_the_content_and_is_independent(postgres: Postgres, database: Database) -> None:
    query(database.url, "CREATE TABLE orders AS SELECT 1 AS id")
    copy = f"{database.name}-copy"
    try:
        with connected(database.url) as busy:  # a client of the source does not prevent it
            postgres.copy_database(database.name, copy, database.role)
            with pytest.raises(psycopg2.OperationalError):
                busy.cursor().execute("SELECT 1")
        url = postgres.url(database.role, database.password, copy)
        query(url, "INSERT INTO orders VALUES (2)")
        postgres.copy_database(database.name, copy, database.role)
        assert query(url, "SELECT id FROM orders ORDER BY id") == [(1,), (2,)]
        assert query(database.url, "SELECT id FROM orders") == [(1,)]
    finally:
        postgres.drop_database(copy)


def test_a_copy_for_another_owner_changes_no_other_database_of_the_first_owner(
    postgres: Postgres, database: Database
) -> None:
    query(database.url, "CREATE TABLE orders AS SELECT 1 AS id")
    postgres.create_role("tester", "secret")
    copy = f"{database.name}-copy"
    try:
        postgres.copy_database(database.name, copy, "tester")
        url = postgres.url("tester", "secret", copy)
        query(url, "ALTER TABLE orders ADD COLUMN note text")
        query(database.url, "ALTER TABLE orders ADD COLUMN other text")
        owners = (
            "SELECT datname, pg_get_userbyid(datdba) FROM pg_database "
            f"WHERE datname LIKE '{database.name}%' ORDER BY datname"
        )
        assert query(postgres.admin_url, owners) == [
            (database.name, database.role),
            (copy, "tester"),
        ]
    finally:
        postgres.drop_database(copy)
        postgres.drop_role("tester")


def test_a_copy_succeeds_while_clients_connect_and_disconnect(
    postgres: Postgres, database: Database
) -> None:
    done = threading.Event()

    def connect_repeatedly() -> None:
        while not done.is_set():
            with contextlib.suppress(psycopg2.Error):
                query(database.url, "SELECT 1")

    clients = [threading.Thread(target=connect_repeatedly) for _ in range(2)]
    for client in clients:
        client.start()
    try:
        postgres.copy_database(database.name, f"{database.name}-copy", database.role)
        assert postgres.database_exists(f"{database.name}-copy")
    finally:
        done.set()
        for client in clients:
            client.join()
        postgres.drop_database(f"{database.name}-copy")


def test_a_copy_of_a_database_that_does_not_exist_is_refused(
    postgres: Postgres, database: Database
) -> None:
    with pytest.raises(UserError, match="no database 'nothing' to copy"):
        postgres.copy_database("nothing", "copy", database.role)


def test_threads_may_call_the_same_operations_at_the_same_time(postgres: Postgres) -> None:
    failures: list[BaseException] = []

    def work() -> None:
        try:
            postgres.create_role("shared", "secret")
            postgres.create_database("shared", "shared")
            postgres.copy_database("shared", "shared-copy", "shared")
        except BaseException as error:  # noqa: BLE001 - shown by the assert below
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    try:
        assert failures == []
        assert query(postgres.url("shared", "secret", "shared-copy"), "SELECT 1") == [(1,)]
    finally:
        postgres.drop_database("shared-copy")
        postgres.drop_database("shared")
        postgres.drop_role("shared")


def test_the_wheel_contains_psql_and_the_servers_other_programs() -> None:
    for name in ("psql", "pg_dump", "postgres", "initdb"):
        output = subprocess.run(
            [data_directory.programs() / name, "--version"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert f" {data_directory.version().rpartition('.')[0]}" in output
