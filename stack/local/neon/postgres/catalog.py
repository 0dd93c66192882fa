"""Creates, copies and drops the roles and databases of the local server."""

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
"""The maximum length of a name (NAMEDATALEN - 1). Postgres truncates longer ones silently."""


class Catalog(ABC):
    """The roles and databases of a server.

    All methods block, are idempotent, and may be called from several threads. They raise UserError
    for names that Postgres would truncate and for names of the server itself.
    """

    def __init__(self) -> None:
        self._ddl_lock = threading.RLock()

    @abstractmethod
    def admin(self, database: str = "postgres") -> AbstractContextManager[connection]:
        """A superuser's connection in autocommit mode, closed at the end."""

    def role_exists(self, name: str) -> bool:
        with self.admin() as admin:
            return _role_exists(admin, name)

    def database_exists(self, name: str) -> bool:
        with self.admin() as admin:
            return _owner(admin, name) is not None

    def row_counts(self, name: str) -> dict[str, int]:
        """Return the number of rows by table, the largest first; empty tables are left out."""
        if not self.database_exists(name):
            return {}
        with self.admin(name) as admin, admin.cursor() as cursor:
            cursor.execute(
                "SELECT schemaname, tablename FROM pg_tables "
                "WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
            )
            counts: dict[str, int] = {}
            for schema, table in cursor.fetchall():
                cursor.execute(
                    sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, table))
                )
                row = cursor.fetchone()
                counts[table] = row[0] if row else 0
        largest = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        return {table: count for table, count in largest if count}

    def create_role(self, name: str, password: str) -> None:
        """Create a role that may log in; one that exists gets the password."""
        _check(name, "role", (SUPERUSER,))
        if not password or "\0" in password:
            raise UserError(
                f"The password of the database role {name!r} is empty or contains a NUL."
            )
        with self._exclusive_admin() as admin:
            # The SCRAM verifier is computed here: a password in a statement would be in the
            # server's log whenever that logs statements.
            verifier = encrypt_password(password, name, admin, "scram-sha-256")
            statement = (
                "ALTER ROLE {} LOGIN PASSWORD {}"
                if _role_exists(admin, name)
                else "CREATE ROLE {} LOGIN PASSWORD {}"
            )
            _execute(admin, statement, sql.Identifier(name), sql.Literal(verifier))

    def drop_role(self, name: str) -> None:
        """Drop a role if it exists. UserError while it owns something: drop its databases first."""
        _check(name, "role", (SUPERUSER,))
        with self._exclusive_admin() as admin:
            try:
                _execute(admin, "DROP ROLE IF EXISTS {}", sql.Identifier(name))
            except errors.DependentObjectsStillExist as error:
                raise UserError(
                    f"The role {name!r} still owns something: {error.diag.message_detail}."
                ) from None

    def create_database(self, name: str, owner: str) -> None:
        """Create an empty database; one that exists keeps its content and gets the owner."""
        _check(name, "database", SYSTEM_DATABASES)
        with self._exclusive_admin() as admin:
            if _owner(admin, name) is None:
                _execute(
                    admin,
                    "CREATE DATABASE {} OWNER {} TEMPLATE template0",
                    sql.Identifier(name),
                    sql.Identifier(owner),
                )
            else:
                _set_owner(admin, name, owner)

    def copy_database(self, source: str, target: str, owner: str) -> None:
        """Copy a database; in the copy, what the source's owner owned belongs to `owner`.

        The source's connections are ended, because Postgres copies no database that is in use. A
        target that exists keeps its content and gets the owner. UserError if there is no source.
        """
        _check(target, "database", SYSTEM_DATABASES)
        with self._exclusive_admin() as admin:
            if _owner(admin, target) is not None:
                _set_owner(admin, target, owner)
                return
            source_owner = _owner(admin, source)
            if source_owner is None:
                raise UserError(f"There is no database {source!r} to copy.")
            # CREATE DATABASE cannot run in a transaction with what follows. So the copy gets its
            # final name only when it is complete; one that was interrupted is dropped by the next
            # call, which derives the same temporary name from the target's.
            unfinished = f"copy-{hashlib.sha256(target.encode()).hexdigest()[:16]}"
            _drop(admin, unfinished)
            _copy(admin, source, unfinished)
            if source_owner != owner:
                self._reassign(unfinished, source_owner, owner)
            else:
                _set_owner(admin, unfinished, owner)
            _execute(
                admin,
                "ALTER DATABASE {} RENAME TO {}",
                sql.Identifier(unfinished),
                sql.Identifier(target),
            )

    def drop_database(self, name: str) -> None:
        """Drop a database if it exists; its connections are ended."""
        _check(name, "database", SYSTEM_DATABASES)
        with self._exclusive_admin() as admin:
            _drop(admin, name)

    @contextlib.contextmanager
    def _exclusive_admin(self) -> Generator[connection]:
        # "Create if missing" is two statements: the lock makes them one step among our threads.
        with self._ddl_lock, self.admin() as admin:
            yield admin

    def _reassign(self, database: str, old_owner: str, new_owner: str) -> None:
        """Give a database and what `old_owner` owns in it to `new_owner`."""
        with self.admin(database) as admin, admin.cursor() as cursor:
            admin.autocommit = False
            # REASSIGN OWNED covers the objects in this database and, in addition, all databases
            # that the old owner has on the server. In the same transaction these get their owner
            # back, so no other session sees the change.
            cursor.execute(
                "SELECT datname FROM pg_database WHERE pg_get_userbyid(datdba) = %s", (old_owner,)
            )
            owned = [str(row[0]) for row in cursor.fetchall()]
            _execute(
                admin,
                "REASSIGN OWNED BY {} TO {}",
                sql.Identifier(old_owner),
                sql.Identifier(new_owner),
            )
            for name in owned:
                _set_owner(admin, name, old_owner)
            _set_owner(admin, database, new_owner)
            admin.commit()


def _check(name: str, kind: str, reserved: tuple[str, ...]) -> None:
    if not name or "\0" in name or len(name.encode()) > NAME_BYTES:
        raise UserError(f"{name!r} is no name for a {kind}: it takes 1 to {NAME_BYTES} bytes.")
    if name in reserved:
        raise UserError(f"The {kind} {name!r} belongs to the server itself. Choose another name.")


def _execute(admin: connection, statement: str, *parts: sql.Composable) -> None:
    with admin.cursor() as cursor:
        cursor.execute(sql.SQL(statement).format(*parts))


def _role_exists(admin: connection, name: str) -> bool:
    with admin.cursor() as cursor:
        cursor.execute("SELECT FROM pg_roles WHERE rolname = %s", (name,))
        return cursor.fetchone() is not None


def _owner(admin: connection, database: str) -> str | None:
    """Return the role that owns a database, None when there is no such database."""
    with admin.cursor() as cursor:
        cursor.execute(
            "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s", (database,)
        )
        row = cursor.fetchone()
    return None if row is None else str(row[0])


def _set_owner(admin: connection, database: str, owner: str) -> None:
    _execute(
        admin, "ALTER DATABASE {} OWNER TO {}", sql.Identifier(database), sql.Identifier(owner)
    )


def _drop(admin: connection, database: str) -> None:
    _execute(admin, "DROP DATABASE IF EXISTS {} WITH (FORCE)", sql.Identifier(database))


def _copy(admin: connection, source: str, target: str) -> None:
    # A client that connects between the two statements makes CREATE DATABASE fail, after it has
    # waited 5 s for the client to leave. Then the clients are ended again.
    for attempts_left in (2, 1, 0):
        with admin.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE datname = %s",
                (source,),
            )
        try:
            _execute(
                admin,
                "CREATE DATABASE {} TEMPLATE {}",
                sql.Identifier(target),
                sql.Identifier(source),
            )
            break
        except errors.ObjectInUse:
            if not attempts_left:
                raise UserError(
                    f"The database {source!r} could not be copied, because clients connect to it "
                    f"all the time."
                ) from None
