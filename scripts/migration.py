"""Writes the next migration file. `make migration NAME="add a column"` runs it.

Starts an embedded PostgreSQL server, migrates an empty database to the head, lets Alembic compare
it with the tables of service/schema/tables.py, and writes the difference to
service/migrations/versions/NNNN_name.py. Needs no running stack; the server is deleted afterwards.
"""

import secrets
import subprocess
import sys
import tempfile
from argparse import Namespace
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from alembic import command  # noqa: E402
from alembic.config import Config  # noqa: E402
from alembic.script import Script, ScriptDirectory  # noqa: E402

from common.errors import UserError  # noqa: E402
from service.migrate import SCRIPTS, engine, migrate  # noqa: E402
from stack.local.neon.postgres.server import Postgres  # noqa: E402
from stack.local.system.ports import Ports  # noqa: E402
from stack.local.system.processes import Guard  # noqa: E402

SETTINGS = {"fsync": "off", "full_page_writes": "off"}
"""The database does not outlive this process, so its durability is switched off."""


def next_number(head: str | None) -> str:
    """Return the revision after `head`: revisions are four digits, without gaps."""
    return f"{int(head or 0) + 1:04}"


@contextmanager
def empty_database() -> Generator[str]:
    """Yield the URL of an empty database on a server that ends with the block."""
    with tempfile.TemporaryDirectory(prefix="migration-") as directory:
        home = Path(directory) / "postgres"
        # As root, Postgres runs as another user, which has to enter the directory.
        home.parent.chmod(0o711)
        port = Ports(home.parent / "ports.json").choose("migration").postgres
        guard = Guard(home.parent / "run")
        guard.start()
        server = Postgres(home, guard, port=port, settings=SETTINGS)
        try:
            server.start()
            password = secrets.token_urlsafe(16)
            server.create_role("migration", password)
            server.create_database("migration", "migration")
            yield server.url("migration", password, "migration")
        finally:
            server.stop()
            guard.close()
            Postgres.remove(home)


def write_migration(name: str) -> tuple[Path, bool]:
    """Write the migration that brings the head to the declared tables.

    Returns the file, and whether a difference was found; without one, `upgrade` is empty.
    """
    config = Config(cmd_opts=Namespace(quiet=True))
    # The options are interpolated, so that a percent sign has to be doubled.
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    different = False

    def note_difference(_context: Any, _revision: Any, directives: list[Any]) -> None:
        nonlocal different
        different = not directives[0].upgrade_ops.is_empty()

    number = next_number(ScriptDirectory.from_config(config).get_current_head())
    with empty_database() as url:
        migrate(url)
        with engine(url).connect() as connection:
            config.attributes["connection"] = connection
            script = command.revision(
                config,
                f"{name[0].upper()}{name[1:].rstrip('.')}.",
                autogenerate=True,
                rev_id=number,
                process_revision_directives=note_difference,
            )
    assert isinstance(script, Script)
    path = Path(script.path)
    for action in (["check", "--fix", "--quiet", "--select=F401,I"], ["format", "--quiet"]):
        subprocess.run([sys.executable, "-m", "ruff", *action, str(path)], check=True, cwd=ROOT)
    return path, different


def main(arguments: Sequence[str]) -> int:
    """Write the file and print its path; 2 without a usable name, 1 when the database fails."""
    name = " ".join(arguments).strip()
    if not name[:1].isalpha() or any(sign in name for sign in '"\\\n'):
        print('say what it does: make migration NAME="add a column"', file=sys.stderr)
        return 2
    try:
        path, different = write_migration(name)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(path.relative_to(ROOT))
    if not different:
        print("The tables are those of the head: write the statements of this migration by hand.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
