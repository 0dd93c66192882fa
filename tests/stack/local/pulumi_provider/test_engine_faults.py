"""Pulumi's own engine after faults: deleted resources, failed and killed updates."""

import contextlib
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg2
import pytest

from stack.local.lambda_.packages import remove
from tests.support.checkout import PATIENCE_S, get_json, request
from tests.support.engine import Engine, engine, needs_pulumi

pytestmark = [needs_pulumi, pytest.mark.xdist_group("engine-faults")]

MIGRATION = '''"""For a test."""

import pathlib
import time

from alembic import op

revision = "9999"
down_revision = "{head}"


def upgrade() -> None:
    {statement}
'''
OF_THE_DATABASE = {
    "database-project",
    "service-migrate-function",
    "service-migration",
    "service-api-function",
    "service-upkeep-function",
    "service-live",
    "service-verification",
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with engine(tmp_path_factory.mktemp("faults")) as deployed:
        deployed.up()
        yield deployed


@pytest.fixture
def stack(shared: Engine) -> Iterator[Engine]:
    """The stack `local`, deployed from the unchanged program before and after the test."""
    yield shared
    shared.up()


def migration(stack: Engine, statement: str) -> contextlib.AbstractContextManager[None]:
    """Add a migration to the program."""
    head = max(
        path.name[:4] for path in (stack.root / "service/migrations/versions").glob("[0-9]*.py")
    )
    return stack.added(
        "service/migrations/versions/9999_test.py", MIGRATION.format(head=head, statement=statement)
    )


def accounts(stack: Engine) -> int:
    return get_json(stack.outputs()["api_url"] + "/accounts")["total"]


def test_deleted_resources_are_found_by_a_refresh_and_created_by_the_next_update(
    stack: Engine,
) -> None:
    remove(stack.root / ".local/packages")
    deleted = {
        "service-layer": "delete",
        "service-migrate-function": "delete",
        "service-api-function": "delete",
        "service-upkeep-function": "delete",
    }
    assert stack.up("refresh") == deleted
    done = stack.up()
    assert done.items() >= dict.fromkeys(deleted, "create").items()
    assert "database-project" not in done
    assert request(stack.outputs()["api_url"] + "/health/ready")[0] == 200
    assert stack.up("refresh") == {}


def test_a_dropped_database_is_created_and_migrated_again(
    stack: Engine,
) -> None:
    before = stack.outputs()
    with contextlib.closing(
        psycopg2.connect(
            before["database_url"].replace(f"/{before['database_name']}?", "/postgres?")
        )
    ) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f'DROP DATABASE "{before["database_name"]}" WITH (FORCE)')
    assert stack.up("refresh") == {"database-project": "delete"}
    assert stack.up().keys() == OF_THE_DATABASE
    after = stack.outputs()
    assert after["neon_project_id"] != before["neon_project_id"]
    assert accounts(stack) == 0, "it has been migrated"


def test_a_replacement_without_a_change_keeps_the_local_resource_and_its_data(
    stack: Engine,
) -> None:
    before, records = stack.outputs(), stack.records()
    assert request(before["api_url"] + "/ingest/generate-mock?count=2&seed=1", "POST")[0] == 200
    total = accounts(stack)
    for name in ("database-project", "gateway-access-log", "service-api-function"):
        done = stack.up("up", "--replace", stack.resources()[name]["urn"])
        assert "create-replacement" in done[name]
    assert (stack.outputs(), stack.records()) == (before, records)
    assert accounts(stack) == total >= 2
    assert stack.preview() == {}


def test_a_version_of_postgres_replaces_no_local_database(stack: Engine) -> None:
    before = stack.outputs()
    with stack.configured(postgresVersion=16):
        assert stack.up() == {"database-project": "update"}
        assert stack.outputs() == before


def test_a_version_that_is_not_healthy_gets_no_request(stack: Engine) -> None:
    alias = stack.resources()["service-live"]["inputs"]["functionVersion"]
    raising = '    if source == "health":\n            raise RuntimeError("broken on purpose")'
    with stack.edited(
        "service/handler.py", lambda text: text.replace('    if source == "health":', raising)
    ):
        text = stack.run("up", "--yes", "--skip-preview", code=1)
        assert "failed: RuntimeError: broken on purpose" in text
        assert stack.resources()["service-live"]["inputs"]["functionVersion"] == alias
        assert accounts(stack) >= 0, "the old version still serves requests"
    done = stack.up()
    assert done["service-live"] == "update"
    assert accounts(stack) >= 0


def test_a_failed_migration_publishes_nothing_and_the_next_update_runs_it_again(
    stack: Engine,
) -> None:
    alias = stack.resources()["service-live"]["inputs"]["functionVersion"]
    with migration(stack, 'op.execute("SELECT * FROM no_such_table")'):
        text = stack.run("up", "--yes", "--skip-preview", code=1)
        assert "42P01" in text
        assert "no_such_table" not in text, "the statement is not shown"
        assert "KeyboardInterrupt" not in text
        assert stack.resources()["service-live"]["inputs"]["functionVersion"] == alias, (
            "no version is published"
        )
        assert accounts(stack) >= 0, "the old version still serves requests"
        assert "42P01" in stack.run("up", "--yes", "--skip-preview", code=1), (
            "the migration runs again"
        )
    with migration(stack, 'op.execute("SELECT 1")'):
        done = stack.up()
        assert done["service-api-function"] == done["service-live"] == "update"
        assert "create" in done["service-migration"]
    assert stack.up().keys() >= {"service-migration"}, (
        "a database ahead of the bundle, as after a rollback, is no error"
    )


def test_an_update_that_was_killed_with_the_provider_is_continued(
    stack: Engine, tmp_path: Path
) -> None:
    fresh = Engine(stack.copy, "pr-3")
    marker = tmp_path / "migrating"
    tmp_path.chmod(0o777)
    with migration(stack, f"pathlib.Path({str(marker)!r}).touch(); time.sleep(600)"):
        process = fresh.copy.start(
            "pulumi", "--no-frontend", "up", "--yes", "--skip-preview", "--stack", fresh.name
        )
        wait_for(marker)
        tree = psutil.Process(process.pid).children(recursive=True)
        for victim in [*tree, psutil.Process(fresh.copy.supervisor())]:
            victim.send_signal(signal.SIGKILL)
        process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 1
        psutil.wait_procs(tree, timeout=PATIENCE_S)
    before = fresh.records()
    assert before, "the killed update has created resources"
    text = fresh.run("up", "--yes", "--skip-preview")
    assert re.search(r"The lock of process \d+, which was killed, has been removed", text)
    assert "pending operations" in text
    assert "service-migration" in text
    after = fresh.records()
    assert all(after[kind] >= before[kind] for kind in before), "they have been adopted"
    assert all(
        len(after[kind]) == 1 for kind in ("neon-projects", "apis", "layers", "vercel-projects")
    ), "and not created twice"
    assert request(fresh.outputs()["api_url"] + "/health/ready")[0] == 200
    fresh.run("refresh", "--yes", "--skip-preview", "--clear-pending-creates")
    assert not fresh.export().get("pending_operations")
    assert fresh.preview() == {}
    fresh.run("destroy", "--yes", "--skip-preview")
    assert not fresh.records()


def wait_for(marker: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not marker.exists():
        assert time.monotonic() < deadline, "the migration has not started"
        time.sleep(0.05)
