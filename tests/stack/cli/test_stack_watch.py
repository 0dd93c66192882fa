"""`stack up --watch` and migrations: none is applied before `stack migrate`."""

import json
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO

import psycopg2
import pytest

from service.migration_files import head, migrations
from tests.support import checkout
from tests.support.checkout import Checkout, request

pytestmark = pytest.mark.xdist_group("stack-life")

MIGRATION = f'''"""Saved while the stack runs."""

from alembic import op

revision = "9999"
down_revision = "{head(migrations())}"


def upgrade() -> None:
    op.execute("CREATE TABLE saved (id integer)")
'''
SERVED = "\n\n_served = handler\n\n\ndef handler(event, context):\n"
SERVED += "    response = _served(event, context)\n"
SERVED += '    response.setdefault("headers", {})["x-saved"] = "yes"\n'
SERVED += "    return response\n"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    copy = checkout.make(tmp_path_factory.mktemp("watch") / "checkout")
    yield copy
    copy.run("reset", "--yes")


@contextmanager
def watching(stack: Checkout) -> Iterator[Callable[[str], str]]:
    """Run `stack up --watch`; yields a function that reads its output up to a line with a text."""
    process = stack.start("up", "--no-frontend", "--watch")
    output: IO[str] | None = process.stdout
    assert output is not None

    def line_with(text: str) -> str:
        passed: list[str] = []
        for line in output:
            passed.append(line)
            if text in line:
                return line
        raise AssertionError(f"no line with {text!r} in {''.join(passed)}")

    try:
        line_with("The API answers")
        yield line_with
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


def revision(stack: Checkout) -> str:
    with (
        closing(psycopg2.connect(stack.outputs()["direct_database_url"])) as opened,
        opened.cursor() as cursor,
    ):
        cursor.execute("SELECT version_num FROM alembic_version")
        return cursor.fetchall()[0][0]


def environments(stack: Checkout) -> Counter[str]:
    """Return how many execution environments have started, by log group."""
    records = stack.run("logs").splitlines()
    return Counter(line.partition("  ")[0] for line in records if "INIT_START" in line)


@pytest.fixture
def migration(stack: Checkout) -> Iterator[Path]:
    path = stack.root / "service/migrations/versions/9999_saved.py"
    yield path
    path.unlink(missing_ok=True)


def test_a_saved_migration_waits_for_stack_migrate_and_later_changes_wait_for_it(
    stack: Checkout, migration: Path
) -> None:
    app = stack.root / "service/handler.py"
    handler = app.read_text()
    with watching(stack) as line_with:
        before, api = revision(stack), stack.outputs()["api_url"]
        migration.write_text(MIGRATION)
        assert "9999_saved.py: not applied. `stack migrate` applies it" in line_with("9999_saved")
        app.write_text(handler + SERVED)
        line_with("9999_saved.py: not applied")
        assert revision(stack) == before
        assert "x-saved" not in request(api)[1], "code that may need the new schema waits too"

        migration.unlink()
        assert "service/handler.py: served" in line_with("served")
        assert request(api)[1]["x-saved"] == "yes"
        assert revision(stack) == before

        app.write_text(handler)
        line_with("service/handler.py: served")
        released = stack.root / "service/migrations/versions/0001_accounts.py"
        text = released.read_text()
        released.write_text(text + "# edited\n")
        line_with("0001_accounts.py: not applied")
        released.write_text(text)
        assert "no migration waits" in stack.run("migrate"), "the same content is no change"

        migration.write_text(MIGRATION.replace("CREATE TABLE saved (id integer)", "SELECT nothing"))
        line_with("9999_saved.py: not applied")
        failed = stack.run("migrate", code=1)
        assert "9999_saved.py: not served, the previous version still runs" in failed
        assert "UndefinedColumn 42703 in 9999_saved.py, line 10" in line_with("42703")
        assert revision(stack) == before
        assert request(api)[0] == 200

        migration.write_text(MIGRATION)
        before_it = environments(stack)
        assert "9999_saved.py: served" in stack.run("migrate")
        name = "ai-success-insights-local"
        assert environments(stack) - before_it == {
            f"/aws/lambda/{name}-migrate": 1,
            f"/aws/lambda/{name}-api": 1,
        }, "one applies the migration, one is verified and serves"
        assert revision(stack) == "9999"
        assert request(api)[0] == 200


def test_a_schedule_invokes_the_code_that_was_saved_last(stack: Checkout) -> None:
    file = stack.root / "service/upkeep.py"
    before = file.read_text()
    with watching(stack) as line_with:
        file.write_text(f"{before}\n\ndef handler(event, context):\n    return event\n")
        line_with("service/upkeep.py: served")
        assert json.loads(stack.run("invoke", "schedule", "upkeep")) == {"source": "upkeep"}
        file.write_text(before)
        line_with("service/upkeep.py: served")
        assert stack.run("invoke", "schedule", "upkeep") != '{"source": "upkeep"}\n'


def test_wrong_files_are_named_by_stack_up(stack: Checkout, migration: Path) -> None:
    migration.write_text(MIGRATION.replace('revision = "9999"', 'revision = "0001"', 1))
    text = stack.run("up", "--detach", "--no-frontend", code=1)
    assert "0001_accounts.py and 9999_saved.py have the same revision '0001'" in text
    assert "give all but one of them another revision" in text


def test_stack_migrate_says_when_it_has_nothing_to_do(stack: Checkout) -> None:
    assert "`stack up` applies the migrations" in stack.run("migrate", code=4)
    with stack.up("--no-frontend"):
        assert "it runs without --watch" in stack.run("migrate", code=1)
