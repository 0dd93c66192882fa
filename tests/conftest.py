"""Fixtures that need a real database: one server per test process, one database per test."""

import os
import secrets
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from common.environment import package_source_variables, remove_libpq_variables
from stack.local.neon.postgres.server import Postgres
from stack.local.system.ports import Ports
from tests.support.database_server import FAST
from tests.support.processes import guarded

# A background job of a non-interactive shell (`make test &`) starts with SIGINT ignored. The
# processes that tests start would inherit that, and tests that interrupt them would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)
remove_libpq_variables()
os.environ |= package_source_variables()  # no proxy for requests to this machine


@dataclass(frozen=True, kw_only=True)
class Database:
    """A new database and its owner.

    Locally both URLs are the same; a test names the one that it means.
    """

    name: str
    role: str
    password: str
    url: str
    direct_url: str


@pytest.fixture
def free_port(tmp_path: Path) -> int:
    """A port that nobody listens on at this moment, and that no outgoing connection will get."""
    return Ports(tmp_path / "free-port.json").choose("test").postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """An embedded server without durability, ended with the session."""
    with tempfile.TemporaryDirectory(prefix="postgres-") as directory:
        home = Path(directory) / "postgres"
        home.parent.chmod(0o711)
        port = Ports(home.parent / "ports.json").choose("test").postgres
        with guarded(home.parent) as guard:
            server = Postgres(home, guard, port=port, settings=FAST)
            try:
                server.start()
                yield server
                server.stop()
            finally:
                Postgres.remove(home)


@pytest.fixture
def postgres_home() -> Iterator[Path]:
    """A directory for a test's own server.

    Every user may enter it: pytest's own directories are for the current user only.
    """
    with tempfile.TemporaryDirectory(prefix="postgres-") as directory:
        Path(directory).chmod(0o711)
        yield Path(directory) / "postgres"
        Postgres.remove(Path(directory) / "postgres")


@pytest.fixture
def own_postgres(postgres_home: Path, free_port: int) -> Iterator[Postgres]:
    """A server that a test may start, stop and hurt."""
    with guarded(postgres_home.parent) as guard:
        server = Postgres(postgres_home, guard, port=free_port, settings=FAST)
        yield server
        server.stop()


@pytest.fixture
def database(postgres: Postgres) -> Iterator[Database]:
    """An empty database with an owner of its own, both dropped after the test."""
    name = role = f"test_{secrets.token_hex(6)}"
    password = secrets.token_urlsafe(16)
    postgres.create_role(role, password)
    postgres.create_database(name, role)
    url = postgres.url(role, password, name)
    yield Database(name=name, role=role, password=password, url=url, direct_url=url)
    postgres.drop_database(name)
    postgres.drop_role(role)
