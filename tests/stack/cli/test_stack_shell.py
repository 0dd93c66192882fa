"""`stack` in a developer's shell: variables for other work, editors at work, other sites' pages."""

import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support import checkout
from tests.support.checkout import Checkout, request

pytestmark = pytest.mark.xdist_group("stack-shell")

MARK = "of-the-shell"
SHELL = {
    "PGSSLMODE": "require",
    "PGOPTIONS": "-c default_transaction_read_only=on -c search_path=nowhere",
    "PGHOST": "/nowhere",
    "PGHOSTADDR": "203.0.113.1",
    "PGPORT": "1",
    "PGDATABASE": MARK,
    "PGUSER": MARK,
    "PGPASSWORD": MARK,
    "PGSERVICE": MARK,
    "PGSERVICEFILE": "/nowhere",
    "PGPASSFILE": "/nowhere",
    "PGSYSCONFDIR": "/nowhere",
    "PGTARGETSESSIONATTRS": "read-only",
    "PGCHANNELBINDING": "require",
    "PGCLIENTENCODING": "LATIN1",
    "PGDATA": "/nowhere",
    "AWS_SECRET_ACCESS_KEY": MARK,
    "AWS_ENDPOINT_URL": MARK,
    "OPENAI_API_KEY": MARK,
    "DATABASE_URL": MARK,
    "API_KEYS": MARK,
    "PULUMI_CONFIG": MARK,
    "NODE_OPTIONS": "--require of-the-shell",
    "PYTHONSTARTUP": MARK,
    "PYTHONOPTIMIZE": "2",
    "PYTHONWARNINGS": "error",
    "HTTP_PROXY": "http://203.0.113.1:1",
    "http_proxy": "http://203.0.113.1:1",
    "NO_PROXY": "",
    "TZ": "Pacific/Kiritimati",
    "LC_ALL": "POSIX",
    "npm_config_global": "true",
    "ENV": "/nowhere",
}
ALLOWED = "https://app.example"


def restrictive_umask() -> None:
    os.umask(0o077)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A stack that was started in such a shell, while editors had unsaved changes."""
    root = tmp_path_factory.mktemp("shell") / "checkout"
    modules = root.parent / "modules"
    modules.mkdir()
    (modules / "pulumi.py").write_text("raise ImportError('the module of another project')")
    copy = Checkout(checkout.make(root).root, {**SHELL, "PYTHONPATH": str(modules)})
    (root / ".local/config.yaml").write_text(f'extraOrigins: ["{ALLOWED}"]\n')
    for directory, name in (
        ("frontend/app", "page.tsx"),
        ("service", "handler.py"),
        ("service/migrations/versions", "0001_accounts.py"),
        ("components", "service.py"),
        ("config", "rules.py"),
        ("bundle", "builder.py"),
    ):
        (root / directory / f".#{name}").symlink_to("user@host.123:456")
        for unsaved in (f".{name}.swp", f"#{name}#", f"{name}~", f"{name}___jb_tmp___", "4913"):
            (root / directory / unsaved).write_text("unsaved")
    try:
        process = copy.start("up", "--detach", "--no-frontend", preexec_fn=restrictive_umask)
        text, _ = process.communicate(timeout=checkout.PATIENCE_S)
        assert process.returncode == 0, text + copy.log()
        yield copy
    finally:
        copy.run("reset", "--yes")


def test_no_process_has_the_shells_variables(stack: Checkout) -> None:
    for process in stack.processes():
        found = process.environ()
        leaked = {name for name, value in stack.environment.items() if found.get(name) == value}
        assert leaked <= {"HTTP_PROXY", "http_proxy"}, process.cmdline()  # for downloads
        assert MARK not in " ".join(found.values()), process.cmdline()


def test_functions_have_no_proxy(stack: Checkout) -> None:
    clients = [
        process for process in stack.processes() if "awslambdaric" in " ".join(process.cmdline())
    ]
    assert clients
    for process in clients:
        assert not {name for name in process.environ() if name.lower().endswith("_proxy")}


def test_requests_write_to_the_local_database(stack: Checkout) -> None:
    api = stack.outputs()["api_url"]
    status, _, body = request(f"{api}/ingest/generate-mock?count=2&seed=1", "POST")
    assert status == 200, body


def test_the_database_shell_is_that_of_the_local_database(stack: Checkout) -> None:
    statement = "SELECT current_database(), current_setting('default_transaction_read_only')"
    text = stack.run("psql", "-tA", "-c", statement)
    assert text.strip() == f"{stack.outputs()['database_name']}|off"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="/proc shows a process's umask")
def test_the_umask_is_not_the_shells(stack: Checkout) -> None:
    processes = psutil.Process(stack.supervisor()).children()
    functions = [found for found in processes if "awslambdaric" in " ".join(found.cmdline())]
    for pid in (stack.supervisor(), *(function.pid for function in functions)):
        assert "Umask:\t0022" in Path(f"/proc/{pid}/status").read_text()


def test_pages_of_other_sites_cannot_write_except_from_configured_origins(
    stack: Checkout,
) -> None:
    outputs = stack.outputs()
    url = f"{outputs['api_url']}/ingest/generate-mock?count=1&seed=2"

    def write(**headers: str) -> int:
        return request(url, "POST", headers=headers)[0]

    assert [write(Origin=origin) for origin in (ALLOWED, outputs["frontend_url"])] == [200, 200]
    assert [write(Origin=origin) for origin in ("https://evil.example", "null")] == [403, 403]
    assert write(Host="evil.example") == 421
    assert write(Host=f"evil.example:{outputs['api_url'].rpartition(':')[2]}") == 421
