"""The life cycle of a local stack: start, update, failure, stop, kill and restart."""

import contextlib
import json
import os
import pty
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from stack.local.lambda_.packages import remove
from tests.support import checkout
from tests.support.checkout import PATIENCE_S, Checkout, get_json, request
from tests.support.project_files import ROOT

pytestmark = pytest.mark.xdist_group("stack-life")

BROKEN_MIGRATION = '''"""Broken on purpose."""

from alembic import op

revision = "9999"
down_revision = "{head}"


def upgrade() -> None:
    op.execute("SELECT * FROM no_such_table")
'''

MARKING_HANDLER = """

_served = handler


def handler(event, context):
    response = _served(event, context)
    response.get("headers", {})["x-saved"] = "yes"
    return response
"""

CONFIG = (ROOT / "config/__init__.py").read_text()
BROKEN_HANDLER = MARKING_HANDLER.replace(
    "    response =",
    """    if event.get("source") == "health":
        raise RuntimeError("broken on purpose")
    response =""",
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A copy whose stack has been up once, so that its bundle and database exist."""
    copy = checkout.make(tmp_path_factory.mktemp("life") / "checkout")
    with copy.up("--no-frontend"):
        pass
    yield copy
    copy.run("reset", "--yes")


@pytest.fixture
def stack(shared: Checkout) -> Iterator[Checkout]:
    """The copy with nothing running, before and after."""
    yield shared
    shared.run("down")
    assert shared.gone(2) == []


def resources(text: str) -> str:
    found = re.search(r"Resources: (.*?)\. The API", text)
    assert found, text
    return found[1]


def wait_for(what: str, condition: object, seconds: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + seconds
    assert callable(condition)
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.02)


def test_a_second_run_changes_nothing_and_keeps_addresses_and_data(stack: Checkout) -> None:
    with stack.up("--no-frontend") as outputs:
        assert (
            request(outputs["api_url"] + "/ingest/generate-mock?count=3&seed=1", "POST")[0] == 200
        )
        total = get_json(outputs["api_url"] + "/accounts")["total"]
        first = outputs
    text = stack.run("up", "--detach", "--no-frontend")
    assert re.fullmatch(r"\d+ unchanged", resources(text))
    assert stack.outputs() == first
    assert get_json(first["api_url"] + "/accounts")["total"] == total


def test_down_with_nothing_running_succeeds(stack: Checkout) -> None:
    assert "nothing runs" in stack.run("down")
    assert "stack up" in stack.run("status", code=4)
    assert "stack up" in stack.run("invoke", "schedule", code=4)


def test_ctrl_c_stops_everything(stack: Checkout) -> None:
    process = stack.start("up", "--no-frontend")
    assert process.stdout is not None
    for line in process.stdout:
        if "The API answers" in line:
            break
    assert stack.processes()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert stack.gone(1) == []


def test_ctrl_c_during_the_start_stops_everything_and_the_next_run_continues(
    stack: Checkout,
) -> None:
    process = stack.start("up", "--no-frontend")
    wait_for("the supervisor's lock", lambda: (stack.root / ".local/lock").read_text())
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert stack.gone(2) == []
    with stack.up("--no-frontend") as outputs:
        assert request(outputs["api_url"])[0] == 200


def test_the_stack_stops_when_its_starter_is_killed(stack: Checkout) -> None:
    process = stack.start("up", "--no-frontend")
    assert process.stdout is not None
    for line in process.stdout:
        if "The API answers" in line:
            break
    process.kill()
    process.communicate()
    assert stack.gone(5) == []


def test_kill_9_during_writes_leaves_no_process_and_loses_no_acknowledged_write(
    stack: Checkout,
) -> None:
    stack.run("up", "--detach", "--no-frontend")
    api = stack.outputs()["api_url"]
    request(api + "/ingest/generate-mock?count=1&seed=0&replace=true&confirm=replace-all", "POST")
    acknowledged: list[int] = []
    stop = threading.Event()

    def write(worker: int) -> None:
        for number in range(1000):
            if stop.is_set():
                return
            with contextlib.suppress(OSError):
                status, _, body = request(
                    f"{api}/ingest/generate-mock?count=2&seed={worker * 1000 + number + 1}", "POST"
                )
                if status == 200:
                    acknowledged.append(json.loads(body)["accounts_created"])

    workers = [threading.Thread(target=write, args=(worker,)) for worker in range(3)]
    for worker in workers:
        worker.start()
    wait_for("some acknowledged writes", lambda: len(acknowledged) >= 5)
    os.kill(stack.supervisor(), signal.SIGKILL)
    left = stack.gone(1)
    stop.set()
    for worker in workers:
        worker.join()
    assert left == [], "no process outlives the supervisor by more than a second"
    with stack.up("--no-frontend") as outputs:
        total = get_json(outputs["api_url"] + "/accounts")["total"]
    assert total >= 1 + sum(acknowledged), "every acknowledged write is there"


def test_a_change_of_code_publishes_a_version_and_changes_nothing_else(stack: Checkout) -> None:
    file = stack.root / "service/handler.py"
    before = file.read_text()
    file.write_text(before + "\nCHANGED = True\n")
    try:
        text = stack.run("up", "--detach", "--no-frontend")
        updated = sorted(
            line.split()[-1] for line in text.splitlines() if line.startswith("updated")
        )
        assert updated == [
            "service-api-function",
            "service-live",
            "service-migrate-function",
            "service-upkeep-function",
        ]
        assert "created" not in resources(text)
        replaced = [line for line in text.splitlines() if line.startswith("replaced")]
        assert [line.split()[-1] for line in replaced] == ["service-verification"], (
            "the layer, and with it the migration, is the same"
        )
    finally:
        file.write_text(before)


def test_a_failed_migration_stops_the_update_and_the_next_update_runs_it_again(
    stack: Checkout,
) -> None:
    with stack.up("--no-frontend") as outputs:
        healthy = get_json(outputs["api_url"])
    versions = stack.root / "service/migrations/versions"
    head = sorted(path.stem for path in versions.glob("[0-9]*.py"))[-1]
    revision = re.search(
        r'^revision\b.*?= "([^"]+)"', (versions / f"{head}.py").read_text(), re.MULTILINE
    )
    assert revision
    broken = versions / "9999_broken.py"
    migration = BROKEN_MIGRATION.format(head=revision[1])
    broken.write_text(migration)
    try:
        text = stack.run("up", "--detach", "--no-frontend", code=1)
        assert "service-migration" in text
        assert "42P01" in text, "the SQLSTATE is shown"
        assert "no_such_table" not in text, "and nothing of the statement"
        assert "postgresql://" not in text
        assert not [
            line
            for line in text.splitlines()
            if line.startswith("updated") and "service-api-function" in line
        ], "no version is published"
        broken.write_text(migration.replace("SELECT * FROM no_such_table", "SELECT 1"))
        stack.run("up", "--detach", "--no-frontend")
        assert get_json(stack.outputs()["api_url"])["status"] == healthy["status"]
    finally:
        broken.unlink()
    stack.run("down")
    text = stack.run("up", "--detach", "--no-frontend")
    assert "The API answers" in text, (
        "a database ahead of the bundle, as after a rollback, is served"
    )


def test_a_replaced_database_is_migrated_and_nothing_else_is_created(
    stack: Checkout,
) -> None:
    with stack.up("--no-frontend") as before:
        request(before["api_url"] + "/ingest/generate-mock?count=2&seed=5", "POST")
        link = psycopg2.connect(
            before["database_url"].replace(f"/{before['database_name']}?", "/postgres?")
        )
        link.autocommit = True
        with contextlib.closing(link), link.cursor() as cursor:
            cursor.execute(f'DROP DATABASE "{before["database_name"]}" WITH (FORCE)')
    text = stack.run("up", "--detach", "--no-frontend")
    changed = sorted(
        line.split()[-1]
        for line in text.splitlines()
        if re.match(r"(created|replaced|updated) ", line)
    )
    assert changed == [
        "database-project",
        "service-api-function",
        "service-live",
        "service-migrate-function",
        "service-migration",
        "service-upkeep-function",
        "service-verification",
    ]
    after = stack.outputs()
    assert after["neon_project_id"] != before["neon_project_id"], "it is another database"
    assert get_json(after["api_url"] + "/accounts")["total"] == 0, "which has been migrated"
    assert after["api_url"] == before["api_url"]


def test_keys_without_a_local_effect_change_nothing_and_keep_the_data(stack: Checkout) -> None:
    with stack.up("--no-frontend") as outputs:
        request(outputs["api_url"] + "/ingest/generate-mock?count=20&seed=9", "POST")
        total = get_json(outputs["api_url"] + "/accounts")["total"]
    config = stack.root / ".local/config.yaml"
    config.write_text("aws:region: eu-central-1\npostgresVersion: 16\nneonOrgId: org-a\n")
    try:
        text = stack.run("up", "--detach", "--no-frontend")
        assert "replaced" not in resources(text)
        assert get_json(stack.outputs()["api_url"] + "/accounts")["total"] == total >= 20
        assert stack.outputs()["neon_project_id"] == outputs["neon_project_id"]
    finally:
        config.unlink()
    stack.run("down")
    stack.run("up", "--detach", "--no-frontend")
    assert get_json(stack.outputs()["api_url"] + "/accounts")["total"] == total


def test_a_change_that_deletes_data_is_asked_or_refused_with_numbers(stack: Checkout) -> None:
    with stack.up("--no-frontend") as outputs:
        request(outputs["api_url"] + "/ingest/generate-mock?count=20&seed=9", "POST")
        total = get_json(outputs["api_url"] + "/accounts")["total"]
    program = stack.root / "__main__.py"
    before = program.read_text()
    program.write_text(
        before.replace('"database",\n    DatabaseArgs', '"other",\n    DatabaseArgs')
    )
    assert program.read_text() != before
    loss = rf"database-project would be deleted, .*: .*\b{total} rows of accounts\b"
    try:
        text = stack.run("up", "--detach", "--no-frontend", code=1)
        assert re.search(loss, text)
        assert "stack up --allow-data-loss" in text
        assert "yes" not in reply_on_terminal(stack, "n\n", code=1)
        assert re.search(loss, reply_on_terminal(stack, "n\n", code=1))
    finally:
        program.write_text(before)
    with stack.up("--no-frontend") as outputs:
        assert get_json(outputs["api_url"] + "/accounts")["total"] == total, "nothing was deleted"


def reply_on_terminal(stack: Checkout, reply: str, *, code: int) -> str:
    """Run `stack up` on a terminal, reply to its question and return what it shows."""
    master, terminal = pty.openpty()
    process = Checkout(stack.root, {"TERM": "xterm", "COLUMNS": "120"}).start(
        "up", "--detach", "--no-frontend", stdin=terminal, stdout=terminal, stderr=terminal
    )
    os.close(terminal)
    shown = b""
    with contextlib.suppress(OSError):
        while chunk := os.read(master, 65536):
            if b"[y/N]" not in shown and b"[y/N]" in shown + chunk:
                os.write(master, reply.encode())
            shown += chunk
    process.wait(60)
    os.close(master)
    assert process.returncode == code, shown.decode(errors="replace")
    return re.sub(r"\s+", " ", shown.decode(errors="replace"))


def test_a_saved_file_is_served_unless_it_does_not_import(stack: Checkout) -> None:
    file = stack.root / "service/__init__.py"
    before = file.read_text()
    app = stack.root / "service/handler.py"
    handler = app.read_text()
    process = stack.start("up", "--no-frontend", "--watch")
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if "The API answers" in line:
                break
        api = stack.outputs()["api_url"]
        version = get_json(api)["version"]
        app.write_text(handler + MARKING_HANDLER)
        wait_for("the change", lambda: request(api)[1].get("x-saved") == "yes")
        assert get_json(api)["version"] != version, "`GET /` says which version responds"
        app.write_text("this is no python")
        for line in process.stdout:
            if "not served" in line:
                break
        assert request(api)[1].get("x-saved") == "yes", "what ran before still runs"
        app.write_text(handler)
        wait_for("the change back", lambda: "x-saved" not in request(api)[1])
    finally:
        file.write_text(before)
        app.write_text(handler)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


def test_a_version_that_starts_and_is_broken_gets_no_request(stack: Checkout) -> None:
    app = stack.root / "service/handler.py"
    handler = app.read_text()
    process = stack.start("up", "--no-frontend", "--watch")
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if "The API answers" in line:
                break
        api = stack.outputs()["api_url"]
        for file, text in (
            (app, handler + BROKEN_HANDLER),  # the function's code alone is replaced
            (stack.root / "config/__init__.py", '"""A change of the program."""\n'),
        ):
            file.write_text(text)
            shown: list[str] = []
            for line in process.stdout:
                shown.append(line)
                if "not served" in line:
                    break
            assert "RuntimeError: broken on purpose" in "".join(shown)
            assert "x-saved" not in request(api)[1], "the previous version serves"
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    try:
        text = stack.run("up", "--detach", "--no-frontend", code=1)
        assert "service-verification" in text
        assert "failed: RuntimeError: broken on purpose" in text
        app.write_text(handler)
        stack.run("up", "--detach", "--no-frontend")
        assert request(stack.outputs()["api_url"])[0] == 200
    finally:
        app.write_text(handler)
        (stack.root / "config/__init__.py").write_text(CONFIG)


def test_a_file_that_is_saved_during_the_start_is_served(stack: Checkout) -> None:
    app = stack.root / "service/handler.py"
    handler = app.read_text()
    process = stack.start("up", "--no-frontend", "--watch")
    assert process.stdout is not None
    try:
        wait_for("the supervisor's lock", lambda: (stack.root / ".local/lock").read_text())
        app.write_text(handler + MARKING_HANDLER)
        for line in process.stdout:
            if "The API answers" in line:
                break
        api = stack.outputs()["api_url"]
        wait_for("the change", lambda: request(api)[1].get("x-saved") == "yes", 20)
    finally:
        app.write_text(handler)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


def test_the_error_names_a_port_in_use_and_another_can_be_chosen(stack: Checkout) -> None:
    with stack.up("--no-frontend") as outputs:
        port = int(outputs["api_url"].rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)):
        text = stack.run("up", "--detach", "--no-frontend", code=1)
        assert str(port) in text
        assert "--port" in text
        assert stack.gone(1) == []
        other = port + 10
        text = stack.run("up", "--detach", "--no-frontend", "--port", str(other))
        assert "The API answers" in text
        assert stack.outputs()["api_url"] == f"http://localhost:{other}"
        assert request(f"http://localhost:{other}")[0] == 200
        assert stack.outputs()["frontend_url"] == f"http://localhost:{other + 1}"


def test_a_crashed_database_is_restarted(stack: Checkout) -> None:
    with stack.up("--no-frontend") as outputs:
        server = next(
            process
            for process in stack.processes()
            if process.name() == "postgres" and "-D" in process.cmdline()
        )
        server.kill()
        wait_for(
            "the database to respond again",
            lambda: request(outputs["api_url"] + "/health/ready")[0] == 200,
            30,
        )
        wait_for("the sentence about it", lambda: "had ended and was restarted" in stack.log(), 10)


def test_the_error_names_a_damaged_state_file_and_how_to_recover(stack: Checkout) -> None:
    state = stack.root / ".local/stacks/local.json"
    before = state.read_text()
    state.write_text("{")
    try:
        text = stack.run("up", "--detach", "--no-frontend", code=1)
        assert "local.json is damaged" in text
        assert "stack reset" in text
        assert state.read_text() == "{", "nothing is overwritten"
    finally:
        state.write_text(before)


def test_deleted_packages_are_unpacked_again(stack: Checkout) -> None:
    remove(stack.root / ".local/packages")
    with stack.up("--no-frontend") as outputs:
        assert request(outputs["api_url"])[0] == 200


def test_on_a_terminal_a_table_shows_each_resource_and_its_state(stack: Checkout) -> None:
    master, terminal = pty.openpty()
    environment = {"TERM": "xterm", "COLUMNS": "120", "LINES": "50"}
    process = Checkout(stack.root, environment).start(
        "up", "--no-frontend", stdout=terminal, stderr=terminal
    )
    os.close(terminal)
    shown = b""
    with contextlib.suppress(OSError):
        while b"The API answers" not in shown:
            shown += os.read(master, 65536)
    process.send_signal(signal.SIGINT)
    with contextlib.suppress(OSError):
        while os.read(master, 65536):
            pass
    process.wait(30)
    os.close(master)
    text = shown.decode(errors="replace")
    assert "Resource" in text
    assert "database-project" in text
    assert "unchanged" in text


def test_wrong_usage_has_exit_code_2(stack: Checkout) -> None:
    assert "usage: stack" in stack.run("up", "--nonsense", code=2)
    assert "usage: stack" in stack.run(code=2)


def test_reset_asks_and_deletes_everything(tmp_path: Path) -> None:
    copy = checkout.make(tmp_path / "checkout")
    with copy.up("--no-frontend"):
        assert "--yes" in copy.run("reset", code=1), "without a terminal it refuses"
        copy.run("reset", "--yes")
        assert not (copy.root / ".local").exists()
        assert copy.gone(1) == []
    assert not [directory for directory in copy.data() if directory.exists()]


def test_a_checkout_with_a_long_path_below_a_private_directory_comes_up(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    copy = checkout.make(private / ("long-" * 20) / "with blanks and ünïcode")
    with copy.up("--no-frontend") as outputs:
        assert request(outputs["api_url"] + "/health/ready")[0] == 200
    copy.run("reset", "--yes")
