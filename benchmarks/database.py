"""An embedded Postgres for measurements, with the settings of the local cloud's own.

`python -m benchmarks.database` keeps an empty database until Ctrl-C, and prints its URL: for a peer to be measured beside this service.
"""

import secrets
import signal
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from service.migrate import migrate
from stack.local.neon.postgres.server import Postgres
from stack.local.system.paths import Lock
from stack.local.system.ports import Ports
from stack.local.system.processes import Guard

ROLE = "service"
PASSWORD = secrets.token_urlsafe(12)
COUNTING = {"shared_preload_libraries": "pg_stat_statements"}
"""Lets statements be counted; what it costs while they are not is not measurable."""


@contextmanager
def server(home: Path, settings: Mapping[str, str] | None = None) -> Generator[Postgres]:
    """A server whose data stays in `home`, for one process at a time."""
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o711)
    lock = Lock(home / "lock")
    if not lock.acquire():
        raise SystemExit(f"another benchmark uses {home}: wait for it, or leave --keep out")
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
    """A home for `server`, deleted afterwards."""
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
    """The URL of a database at the head of this checkout, made when it is not there."""
    running.create_database(name, ROLE)
    migrate(url_of(running, name))
    return url_of(running, name)


@contextmanager
def database() -> Generator[str]:
    """The URL of a server's migrated, empty database."""
    with short_lived_home() as home, server(home) as running:
        yield migrated(running, "service")


def main() -> None:
    with short_lived_home() as home, server(home, COUNTING) as running:
        running.create_database("peer", ROLE)
        with running.admin("peer") as admin, admin.cursor() as statements:
            statements.execute(
                f"CREATE EXTENSION pg_stat_statements; GRANT pg_read_all_stats TO {ROLE}"
            )
            statements.execute(f"GRANT EXECUTE ON FUNCTION pg_stat_statements_reset TO {ROLE}")
        print(url_of(running, "peer"), flush=True)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with suppress(KeyboardInterrupt):
            while True:
                time.sleep(3600)


if __name__ == "__main__":
    main()
