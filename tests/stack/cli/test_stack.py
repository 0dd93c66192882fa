"""The commands of `stack` on a running stack: zip, gateway, database, built pages, a browser."""

import json
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import pytest

from tests.support import checkout
from tests.support.browser import open_browser
from tests.support.checkout import Checkout, get_json, request

pytestmark = pytest.mark.xdist_group("stack")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    copy = checkout.make(tmp_path_factory.mktemp("stack") / "checkout", pages=True)
    copy = Checkout(
        copy.root, {"AWS_SECRET_ACCESS_KEY": "never-used-here", "NEON_API_KEY": "never-used-here"}
    )
    with copy.up():
        yield copy
    copy.run("reset", "--yes")


@pytest.fixture(scope="module")
def outputs(stack: Checkout) -> dict[str, Any]:
    return stack.outputs()


@pytest.fixture(scope="module")
def sample_accounts(outputs: dict[str, Any]) -> int:
    status, _, body = request(outputs["api_url"] + "/ingest/generate-mock?count=20&seed=7", "POST")
    assert status == 200, body
    return 20


def test_outputs_are_those_of_the_program_with_secrets_masked_by_default(
    stack: Checkout, outputs: dict[str, Any]
) -> None:
    shown = json.loads(stack.run("outputs", "--json"))
    assert set(shown) == {
        "api_url",
        "cors_origins",
        "database_name",
        "database_url",
        "direct_database_url",
        "frontend_url",
        "function_name",
        "neon_project_id",
    }
    assert shown["database_url"] == shown["direct_database_url"] == "[secret]"
    assert stack.run("outputs", "api_url").strip() == outputs["api_url"], (
        "one output is printed bare"
    )
    assert stack.run("outputs", "database_url", "--show-secrets").strip() == outputs["database_url"]
    assert outputs["cors_origins"] == [outputs["frontend_url"]]
    assert "no output 'nonsense'" in stack.run("outputs", "nonsense", code=1)


def test_files_with_secrets_are_readable_by_their_owner_only(stack: Checkout) -> None:
    for name in ("outputs.json", "cloud.json", "stacks/local.json", "ports.json"):
        assert stat.S_IMODE((stack.root / ".local" / name).stat().st_mode) == 0o600, name


def test_status_shows_what_runs_and_its_addresses(stack: Checkout, outputs: dict[str, Any]) -> None:
    text = stack.run("status")
    assert "answers" in text
    assert outputs["api_url"] in text
    assert outputs["frontend_url"] in text


def test_a_second_up_is_refused_while_one_runs(stack: Checkout) -> None:
    text = stack.run("up", "--detach", "--no-frontend", code=4)
    assert f"process {stack.supervisor()}" in text
    assert "stack down" in text
    assert "answers" in stack.run("status"), "the one that runs is left alone"


def test_a_page_in_a_browser_shows_numbers_from_the_database(
    stack: Checkout, outputs: dict[str, Any], sample_accounts: int
) -> None:
    metrics = get_json(outputs["api_url"] + "/portfolio/metrics")
    assert metrics["total_accounts"] == sample_accounts
    name = get_json(outputs["api_url"] + "/accounts?page_size=1&sort=-arr")["accounts"][0]["name"]
    errors: list[str] = []
    with open_browser() as browser:
        page = browser.new_page()
        page.on(
            "console",
            lambda message: errors.append(message.text) if message.type == "error" else None,
        )
        page.goto(outputs["frontend_url"])
        page.get_by_text(name).first.wait_for()
        shown = page.get_by_role("main").inner_text()
    assert f"{metrics['total_accounts']} accounts" in shown
    assert not errors


def test_requests_run_the_unpacked_zip_in_awss_runtime_client(
    stack: Checkout, outputs: dict[str, Any]
) -> None:
    clients = [
        process for process in stack.processes() if "awslambdaric" in " ".join(process.cmdline())
    ]
    assert clients, "the function runs in AWS's runtime client"
    roots = {process.environ()["LAMBDA_TASK_ROOT"] for process in clients}
    assert all(Path(root).is_relative_to(stack.root / ".local/packages") for root in roots), (
        "from the unpacked zip, not from the checkout"
    )
    with psycopg2.connect(outputs["database_url"]) as link, link.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM accounts")
        assert cursor.fetchone() == (get_json(outputs["api_url"] + "/accounts")["total"],)
    link.close()


def test_preflight_requests_are_allowed_for_the_sites_origin_only(
    outputs: dict[str, Any],
) -> None:
    origin = outputs["frontend_url"]
    preflight = {"Access-Control-Request-Method": "GET"}
    status, headers, _ = request(
        outputs["api_url"] + "/accounts", "OPTIONS", headers={**preflight, "Origin": origin}
    )
    assert status == 200
    assert headers["access-control-allow-origin"] == origin
    host, _, port = origin.rpartition(":")
    for foreign in (
        "https://evil.example",
        f"{host}:{int(port) + 1}",
        "null",
        f"{origin}.evil.example",
        origin.upper(),
    ):
        _, headers, _ = request(
            outputs["api_url"] + "/accounts", "OPTIONS", headers={**preflight, "Origin": foreign}
        )
        assert "access-control-allow-origin" not in headers, foreign


def test_the_site_redirects_from_the_ip_address_to_its_origin(
    outputs: dict[str, Any],
) -> None:
    port = outputs["frontend_url"].rpartition(":")[2]
    status, headers, _ = request(f"http://127.0.0.1:{port}/")
    assert status in (307, 308)
    assert headers["location"].startswith(outputs["frontend_url"])


def test_logs_show_records_of_functions_and_gateway(
    stack: Checkout, outputs: dict[str, Any]
) -> None:
    request(outputs["api_url"] + "/accounts")
    text = stack.run("logs")
    assert "REPORT RequestId:" in text
    assert "Init Duration:" in text
    access = [
        line for line in text.splitlines() if "/aws/vendedlogs/" in line and '"route"' in line
    ]
    assert json.loads(access[-1][access[-1].index("{") :])["route"] == "$default"
    assert "/aws/lambda/ai-success-insights-local-migrate" in text, (
        "the migration has a group of its own"
    )


def test_a_schedule_is_listed_invoked_and_named_when_misspelt(stack: Checkout) -> None:
    name = "ai-success-insights-local-upkeep"
    assert re.search(rf"schedule {name}  next \S+T\d\d:05:00", stack.run("status"))
    assert isinstance(json.loads(stack.run("invoke", "schedule", "upkeep")), dict)
    assert re.search(rf"{name}  next .*  last \S+ succeeded", stack.run("invoke", "schedule"))
    assert "did you mean 'upkeep'?" in stack.run("invoke", "schedule", "upkep", code=1)
    assert "did you mean 'schedule'?" in stack.run("invoke", "shedule", code=2)
    assert f"/aws/lambda/{name}" in stack.run("logs")
    assert not [process for process in stack.processes() if name in process.environ().values()], (
        "its environment ends with the call"
    )


def test_following_logs_shows_new_lines(stack: Checkout, outputs: dict[str, Any]) -> None:
    follower = stack.start("logs", "-f")
    assert follower.stdout is not None
    try:
        request(outputs["api_url"] + "/health/live", headers={"X-Request-ID": "followed-by-a-test"})
        assert any("followed-by-a-test" in line for line in iter(follower.stdout.readline, ""))
    finally:
        follower.terminate()
        follower.communicate()


def test_cloud_credentials_do_not_reach_the_local_cloud(stack: Checkout) -> None:
    for process in stack.processes():
        assert "never-used-here" not in process.environ().values(), process.cmdline()
    clients = [
        process for process in stack.processes() if "awslambdaric" in " ".join(process.cmdline())
    ]
    assert not [
        name
        for process in clients
        for name in process.environ()
        if name in os.environ and name.startswith(("HOME", "USER", "PULUMI"))
    ]


def test_servers_listen_on_loopback_only(stack: Checkout) -> None:
    listening = [
        connection.laddr.ip
        for process in stack.processes()
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening
    assert set(listening) <= {"127.0.0.1", "::1"}


@pytest.mark.parametrize("separator", [(), ("--",)], ids=["plain", "after --"])
def test_the_database_shell_runs_a_statement(stack: Checkout, separator: tuple[str, ...]) -> None:
    text = stack.run("psql", *separator, "-tA", "-c", "SELECT 'from the shell'")
    assert text.strip() == "from the shell"


def test_requests_do_not_change_the_unpacked_bundle(
    stack: Checkout, outputs: dict[str, Any], sample_accounts: int
) -> None:
    def content() -> str:
        files = ((path, path.stat()) for path in (stack.root / ".local/packages").rglob("*"))
        return "\n".join(
            sorted(f"{path} {found.st_size} {found.st_mtime_ns}" for path, found in files)
        )

    before = content()
    for path in ("/", "/health/ready", "/accounts", "/portfolio/metrics", "/openapi.json"):
        assert request(outputs["api_url"] + path)[0] == 200, path
    assert content() == before
