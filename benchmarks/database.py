"""An embedded PostgreSQL server for benchmarks, with the settings of the local cloud."""

import secrets
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from service.migrate import migrate
from stack.local.daemon.lock import SupervisorLock
from stack.local.neon.postgres.server import Postgres
from stack.local.system.ports import Ports
from stack.local.system.processes import Guard

ROLE = "service"
PASSWORD = secrets.token_urlsafe(12)
COUNTING = {"shared_preload_libraries": "pg_stat_statements"}
"""Loads the statement counter, which costs nothing measurable while it is off."""


@contextmanager
def server(home: Path, settings: Mapping[str, str] | None = None) -> Generator[Postgres]:
    """Runs a server whose data stays in `home`; one process at a time may use it."""
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o711)
    lock = SupervisorLock(home / "lock")
    if not lock.acquire():
        raise SystemExit(f"another benchmark uses {home}: wait for it, or omit --keep")
    try:
        guard = Guard(home / "run")
        guard.start()
        try:
            running = Postgres(
                home / "postgres",
                guard,
                port=Ports(home / "ports.json").choose("benchmark").postgres,
                settings=settings,
            )
            try:
                running.start()
                running.create_role(ROLE, PASSWORD)
                yield running
            finally:
                running.stop()
        finally:
            guard.close()
    finally:
        lock.release()


@contextmanager
def short_lived_home() -> Generator[Path]:
    """Yields a directory for `server` and deletes it afterwards."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as directory:
        home = Path(directory)
        home.chmod(0o711)
        try:
            yield home
        finally:
            Postgres.remove(home / "postgres")


def url_of(running: Postgres, name: str) -> str:
    return running.url(ROLE, PASSWORD, name)


def migrated(running: Postgres, name: str) -> str:
    """Returns the URL of a database at the newest migration; creates it when it is missing."""
    running.create_database(name, ROLE)
    migrate(url_of(running, name))
    return url_of(running, name)


@contextmanager
def database() -> Generator[str]:
    """Yields the URL of a migrated, empty database on a server of its own."""
    with short_lived_home() as home, server(home) as running:
        yield migrated(running, "service")
