"""Roles and databases of the local server. All operations block, may be repeated, and may be called from several threads."""

import contextlib
import hashlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Generator
from contextlib import AbstractContextManager

from psycopg2 import errors, sql
from psycopg2.extensions import connection, encrypt_password

from common.errors import UserError
from stack.local.neon.postgres.cluster import SUPERUSER

SYSTEM_DATABASES = ("postgres", "template0", "template1")
NAME_BYTES = 63
"""Postgres cuts longer names silently."""


class Catalog(ABC):
    def __init__(self) -> None:
        self._changes = threading.RLock()

    @abstractmethod
    def admin(self, database: str = "postgres") -> AbstractContextManager[connection]:
        """A superuser's connection in autocommit mode, closed at the end."""

    def role_exists(self, name: str) -> bool:
        with self.admin() as admin:
            return _role_exists(admin, name)

    def database_exists(self, name: str) -> bool:
        with self.admin() as admin:
            return _owner(admin, name) is not None

    def create_role(self, name: str, password: str) -> None:
        """A role that may log in; one that exists gets the password. The server only ever sees the password's SCRAM verifier."""
        _check(name, "role", (SUPERUSER,))
        if not password or "\0" in password:
            raise UserError(f"The password of the database role {name!r} is empty or holds a NUL.")
        with self._changing() as admin:
            verifier = encrypt_password(password, name, admin, "scram-sha-256")
            statement = (
                "ALTER ROLE {} LOGIN PASSWORD {}"
                if _role_exists(admin, name)
                else "CREATE ROLE {} LOGIN PASSWORD {}"
            )
            _run(admin, statement, sql.Identifier(name), sql.Literal(verifier))

    def drop_role(self, name: str) -> None:
        """Raises UserError while the role owns something: its databases go first."""
        _check(name, "role", (SUPERUSER,))
        with self._changing() as admin:
            try:
                _run(admin, "DROP ROLE IF EXISTS {}", sql.Identifier(name))
            except errors.DependentObjectsStillExist as error:
                raise UserError(
                    f"The role {name!r} still owns something: {error.diag.message_detail}."
                ) from None

    def create_database(self, name: str, owner: str) -> None:
        """A database with nothing in it; one that exists keeps its content and gets the owner."""
        _check(name, "database", SYSTEM_DATABASES)
        with self._changing() as admin:
            if _owner(admin, name) is None:
                _run(
                    admin,
                    "CREATE DATABASE {} OWNER {} TEMPLATE template0",
                    sql.Identifier(name),
                    sql.Identifier(owner),
                )
            else:
                _give(admin, name, owner)

    def copy_database(self, source: str, target: str, owner: str) -> None:
        """A copy of a database as it is now, whose connections are ended for it. A target that exists keeps its content and gets the owner.

        What the source's owner owned in it belongs to the new owner in the copy.
        """
        _check(target, "database", SYSTEM_DATABASES)
        with self._changing() as admin:
            if _owner(admin, target) is not None:
                _give(admin, target, owner)
                return
            former = _owner(admin, source)
            if former is None:
                raise UserError(f"There is no database {source!r} to copy.")
            unfinished = f"copy-{hashlib.sha256(target.encode()).hexdigest()[:16]}"
            _drop(admin, unfinished)
            _copy(admin, source, unfinished)
            if former != owner:
                self._hand_over(unfinished, former, owner)
            else:
                _give(admin, unfinished, owner)
            _run(
                admin,
                "ALTER DATABASE {} RENAME TO {}",
                sql.Identifier(unfinished),
                sql.Identifier(target),
            )

    def drop_database(self, name: str) -> None:
        """Ends the database's connections and deletes it."""
        _check(name, "database", SYSTEM_DATABASES)
        with self._changing() as admin:
            _drop(admin, name)

    @contextlib.contextmanager
    def _changing(self) -> Generator[connection]:
        with self._changes, self.admin() as admin:
            yield admin

    def _hand_over(self, database: str, former: str, owner: str) -> None:
        """Gives a database and what is in it to another role. REASSIGN OWNED takes the former owner's other databases too: they go back."""
        with self.admin(database) as admin, admin.cursor() as cursor:
            admin.autocommit = False
            cursor.execute(
                "SELECT datname FROM pg_database WHERE pg_get_userbyid(datdba) = %s", (former,)
            )
            owned = [str(row[0]) for row in cursor.fetchall()]
            _run(admin, "REASSIGN OWNED BY {} TO {}", sql.Identifier(former), sql.Identifier(owner))
            for name in owned:
                _give(admin, name, former)
            _give(admin, database, owner)
            admin.commit()


def _check(name: str, kind: str, reserved: tuple[str, ...]) -> None:
    if not name or "\0" in name or len(name.encode()) > NAME_BYTES:
        raise UserError(f"{name!r} is no name for a {kind}: it takes 1 to {NAME_BYTES} bytes.")
    if name in reserved:
        raise UserError(f"The {kind} {name!r} belongs to the server itself. Choose another name.")


def _run(admin: connection, statement: str, *parts: sql.Composable) -> None:
    with admin.cursor() as cursor:
        cursor.execute(sql.SQL(statement).format(*parts))


def _role_exists(admin: connection, name: str) -> bool:
    with admin.cursor() as cursor:
        cursor.execute("SELECT FROM pg_roles WHERE rolname = %s", (name,))
        return cursor.fetchone() is not None


def _owner(admin: connection, database: str) -> str | None:
    """The role that owns a database, None when there is no such database."""
    with admin.cursor() as cursor:
        cursor.execute(
            "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s", (database,)
        )
        row = cursor.fetchone()
    return None if row is None else str(row[0])


def _give(admin: connection, database: str, owner: str) -> None:
    _run(admin, "ALTER DATABASE {} OWNER TO {}", sql.Identifier(database), sql.Identifier(owner))


def _drop(admin: connection, database: str) -> None:
    _run(admin, "DROP DATABASE IF EXISTS {} WITH (FORCE)", sql.Identifier(database))


def _copy(admin: connection, source: str, target: str) -> None:
    """Clients that connect between the two statements make the server give up after 5 s; then they are ended as well."""
    for attempts_left in (2, 1, 0):
        with admin.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE datname = %s",
                (source,),
            )
        try:
            _run(
                admin,
                "CREATE DATABASE {} TEMPLATE {}",
                sql.Identifier(target),
                sql.Identifier(source),
            )
            break
        except errors.ObjectInUse:
            if not attempts_left:
                raise UserError(
                    f"The database {source!r} could not be copied, because clients connect to it all the time."
                ) from None
