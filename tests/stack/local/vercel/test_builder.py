"""Tests how sites are built: the steps with a fake Node, then the dashboard with the real one."""

import gzip
import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common.errors import UserError
from components.site_files import site_files
from stack.local.system.processes import AbandonedError, Guard
from stack.local.vercel.builder import SiteBuilder
from stack.local.vercel.node import find_node
from tests.support.built_site import FRONTEND, HOME, VARIABLES, built_site
from tests.support.processes import guarded, is_gone

NODE = """#!/bin/sh
# a fake Node: `npm ci` creates node_modules, `next build` writes sources and variable to out/
case "$*" in
  *process.versions*) echo '["22.1.0", "'"$0"'"]' ;;
  *npm-cli.js\\ ci*) echo ci >> "$HOME/runs"; . "$HOME/npm" ;;
  *next/dist/bin/next\\ build*)
    echo build >> "$HOME/runs"; env > "$HOME/environment"; . "$HOME/next" ;;
esac
"""
INSTALL = "rm -rf node_modules; mkdir node_modules"
BUILD = 'mkdir out; cat page.txt > out/index.html; echo "$NEXT_PUBLIC_API_URL" >> out/index.html'
API = {"NEXT_PUBLIC_API_URL": "http://localhost:8000"}


class Checkout:
    """A small site with a fake Node, which runs the shell scripts `home/npm` and `home/next`."""

    def __init__(self, root: Path, children: Guard) -> None:
        self.home, self.frontend = root / "home", root / "frontend"
        node, npm = root / "prefix/bin/node", root / "prefix/lib/node_modules/npm/bin/npm-cli.js"
        for directory in (self.home, self.frontend, node.parent, npm.parent):
            directory.mkdir(parents=True)
        node.write_text(NODE, encoding="utf-8")
        node.chmod(0o755)
        npm.touch()
        self.path = str(node.parent)
        self.scripts(npm=INSTALL, next=BUILD)
        for name, text in {
            "package-lock.json": "{}",
            "page.txt": "one\n",
            ".vercelignore": "out\n",
        }.items():
            (self.frontend / name).write_text(text, encoding="utf-8")
        self.builder = SiteBuilder(root / "built", children)
        self.progress: list[str] = []

    def scripts(self, **scripts: str) -> None:
        for name, script in scripts.items():
            (self.home / name).write_text(script, encoding="utf-8")

    def build(
        self, variables: dict[str, str] = API, cancelled: threading.Event | None = None
    ) -> Path:
        return self.builder.build(
            self.frontend, variables, progress=self.progress.append, cancelled=cancelled
        )

    def runs(self) -> list[str]:
        file = self.home / "runs"
        return file.read_text(encoding="utf-8").split() if file.exists() else []


@pytest.fixture
def children(tmp_path: Path) -> Iterator[Guard]:
    with guarded(tmp_path) as guard:
        yield guard


@pytest.fixture
def checkout(tmp_path: Path, children: Guard, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    checkout = Checkout(tmp_path, children)
    monkeypatch.setenv("PATH", checkout.path, prepend=":")
    monkeypatch.setenv("HOME", str(checkout.home))
    return checkout


def test_a_build_installs_the_packages_and_stores_the_site(checkout: Checkout) -> None:
    site = checkout.build()
    assert (site / "index.html").read_text() == "one\nhttp://localhost:8000\n"
    assert checkout.runs() == ["ci", "build"]
    assert checkout.progress == [
        "installing the site's packages (npm ci)",
        "building the site (next build)",
    ]
    assert not (checkout.frontend / "out").exists()


def test_the_same_content_is_not_built_again_and_starts_no_process(
    checkout: Checkout, tmp_path: Path
) -> None:
    site = checkout.build()
    stopped = SiteBuilder(tmp_path / "built", Guard(tmp_path / "never started"))
    assert stopped.build(checkout.frontend, API) == site
    assert checkout.runs() == ["ci", "build"]


def test_a_changed_file_or_variable_is_built_and_an_earlier_state_is_not(
    checkout: Checkout,
) -> None:
    first = checkout.build()
    (checkout.frontend / "page.txt").write_text("two\n", encoding="utf-8")
    second = checkout.build()
    third = checkout.build({"NEXT_PUBLIC_API_URL": "http://localhost:9000"})
    assert (second / "index.html").read_text() == "two\nhttp://localhost:8000\n"
    assert (third / "index.html").read_text() == "two\nhttp://localhost:9000\n"
    (checkout.frontend / "page.txt").write_text("one\n", encoding="utf-8")
    assert checkout.build() == first
    assert checkout.runs() == ["ci", "build", "build", "build"]


def test_packages_are_installed_again_when_the_lock_changes_or_they_are_missing(
    checkout: Checkout,
) -> None:
    checkout.build()
    (checkout.frontend / "package-lock.json").write_text('{"a": 1}', encoding="utf-8")
    checkout.build()
    (checkout.frontend / "node_modules/.installed").unlink()
    (checkout.frontend / "page.txt").write_text("two\n", encoding="utf-8")
    checkout.build()
    checkout.builder.install(checkout.frontend)
    assert checkout.runs() == ["ci", "build", "ci", "build", "ci", "build"]


def test_the_last_three_builds_are_stored(checkout: Checkout) -> None:
    sites: list[Path] = []
    for number in range(4):
        sites.append(checkout.build({"NEXT_PUBLIC_API_URL": f"http://localhost:{number}"}))
        checkout.build({"NEXT_PUBLIC_API_URL": "http://localhost:0"})  # in use, so never the oldest
        time.sleep(0.01)
    assert [site.is_dir() for site in sites] == [True, False, True, True]


def test_the_build_gets_the_variables_and_no_others_of_the_caller(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "AWS_SECRET_ACCESS_KEY",
        "NEXT_PUBLIC_OTHER",
        "NODE_OPTIONS",
        "npm_config_registry",
    ):
        monkeypatch.setenv(name, "x")
    checkout.build()
    environment = dict(
        line.split("=", 1) for line in (checkout.home / "environment").read_text().splitlines()
    )
    allowed = {
        "HOME",
        "USER",
        "TMPDIR",
        "LANG",
        "TZ",
        "NO_COLOR",
        "NEXT_TELEMETRY_DISABLED",
        "PATH",
        "NEXT_PUBLIC_API_URL",
    }
    assert set(environment) - {"PWD", "SHLVL", "_", "OLDPWD"} <= allowed
    assert environment["NEXT_TELEMETRY_DISABLED"] == "1"
    assert environment["PATH"].split(":")[0] == str(checkout.home.parent / "built/bin")


@pytest.mark.parametrize(("step", "name"), [("npm", "npm ci"), ("next", "next build")])
def test_the_error_of_a_command_has_its_last_lines_and_the_next_build_repeats_it(
    checkout: Checkout, step: str, name: str
) -> None:
    checkout.scripts(**{step: "seq 1 100; printf '\\033[31mno such module\\033[0m\\n' >&2; exit 7"})
    with pytest.raises(UserError) as failed:
        checkout.build()
    lines = str(failed.value).splitlines()
    assert lines[0] == f"`{name}` in {checkout.frontend} ended with 7:"
    assert lines[1:3] + lines[-2:] == ["  72", "  73", "  100", "  no such module"]
    checkout.scripts(npm=INSTALL, next=BUILD)
    assert (checkout.build() / "index.html").is_file()


def test_a_build_without_pages_is_an_error(checkout: Checkout) -> None:
    checkout.scripts(next="true")
    with pytest.raises(
        UserError,
        match=r"left no frontend/out/index\.html: next\.config\.ts must say output: 'export'",
    ):
        checkout.build()


def test_a_build_that_is_cancelled_ends_its_processes(checkout: Checkout) -> None:
    checkout.scripts(next='sleep 60 & echo $! > "$HOME/pid"; wait')
    cancelled = threading.Event()
    threading.Thread(target=lambda: (wait_for(checkout.home / "pid"), cancelled.set())).start()
    with pytest.raises(AbandonedError, match="`next build` was cancelled"):
        checkout.build(cancelled=cancelled)
    assert is_gone(int((checkout.home / "pid").read_text()))


def test_a_second_build_of_a_checkout_waits_for_the_first(checkout: Checkout) -> None:
    checkout.scripts(next=f'while [ ! -e "$HOME/go" ]; do sleep 0.01; done; {BUILD}')
    sites: list[Path] = []
    threads = [threading.Thread(target=lambda: sites.append(checkout.build())) for _ in range(2)]
    for thread in threads:
        thread.start()
    wait_for(checkout.home / "environment")
    deadline = time.monotonic() + 10
    while (
        "waiting for another build of this checkout" not in checkout.progress
        and time.monotonic() < deadline
    ):
        time.sleep(0.01)
    (checkout.home / "go").touch()
    for thread in threads:
        thread.join()
    assert sites[0] == sites[1]
    assert checkout.runs() == ["ci", "build"]


def test_waiting_for_another_build_can_be_cancelled(checkout: Checkout) -> None:
    checkout.scripts(next='while [ ! -e "$HOME/go" ]; do sleep 0.01; done; ' + BUILD)
    first = threading.Thread(target=checkout.build)
    first.start()
    wait_for(checkout.home / "environment")
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(AbandonedError):
        checkout.build(cancelled=cancelled)
    (checkout.home / "go").touch()
    first.join()


def test_a_file_that_changes_during_the_build_is_in_the_stored_site(checkout: Checkout) -> None:
    checkout.scripts(next=f"{BUILD}; echo two > page.txt")
    site = checkout.build()
    assert (site / "index.html").read_text() == "two\nhttp://localhost:8000\n"
    assert "frontend/ changed while it was built: building again" in checkout.progress


def test_files_that_change_during_every_build_are_an_error(checkout: Checkout) -> None:
    checkout.scripts(next=f"{BUILD}; echo more >> page.txt")
    with pytest.raises(UserError, match="changed during each of 3 builds"):
        checkout.build()


def test_a_site_without_a_lock_file_is_refused(checkout: Checkout) -> None:
    (checkout.frontend / "package-lock.json").unlink()
    with pytest.raises(UserError, match=r"there is no .*package-lock\.json"):
        checkout.build()


def test_an_env_file_that_the_build_would_read_is_refused(checkout: Checkout) -> None:
    (checkout.frontend / ".env.development.local").touch()
    checkout.build()
    (checkout.frontend / ".env.local").touch()
    with pytest.raises(
        UserError, match=r"\.env\.local would change what is built here, and is not deployed"
    ):
        checkout.build()


def test_an_unsupported_vercel_json_is_refused_before_any_command_runs(
    checkout: Checkout,
) -> None:
    (checkout.frontend / "vercel.json").write_text('{"rewrites": []}', encoding="utf-8")
    with pytest.raises(UserError, match="rewrites is not supported locally"):
        checkout.build()
    assert checkout.runs() == []


def wait_for(file: Path) -> None:
    deadline = time.monotonic() + 10
    while not file.exists() or not file.read_text():
        assert time.monotonic() < deadline, f"{file} was never written"
        time.sleep(0.01)


def test_building_the_dashboard_uses_its_variables_and_changes_no_deployed_file() -> None:
    before = site_files(FRONTEND, FRONTEND.parent)
    site = built_site()
    scripts = "".join(file.read_text(encoding="utf-8") for file in site.rglob("*.js"))
    assert VARIABLES["NEXT_PUBLIC_API_URL"] in scripts
    assert (site / "404.html").is_file()
    assert json.loads((site / ".vercel.json").read_text(encoding="utf-8"))["framework"] == "nextjs"
    assert site_files(FRONTEND, FRONTEND.parent) == before


def test_the_scripts_and_styles_of_the_first_page_are_small() -> None:
    site = built_site()
    page = (site / "index.html").read_text(encoding="utf-8")
    scripts = [
        name
        for name, rest in re.findall(r'<script src="/([^"]+)"([^>]*)>', page)
        if "noModule" not in rest
    ]
    styles = re.findall(r'<link rel="stylesheet" href="/([^"]+)"', page)
    assert scripts and styles
    assert sum(len(gzip.compress((site / name).read_bytes())) for name in scripts) < 150_000
    assert sum(len(gzip.compress((site / name).read_bytes())) for name in styles) < 10_000


def test_the_first_page_loads_from_the_site_and_the_api_only() -> None:
    page = (built_site() / "index.html").read_text(encoding="utf-8")
    sources = [
        source
        for source in re.findall(r'(?:src|href)="([^"]+)"', page)
        if not re.match(r"/(?!/)|#", source)
    ]
    assert sources
    assert [
        source
        for source in sources
        if not source.startswith(f"{VARIABLES['NEXT_PUBLIC_API_URL']}/")
    ] == []


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("", "NEXT_PUBLIC_API_URL is not set: give the API's address"),
        ("localhost:8000", 'NEXT_PUBLIC_API_URL is "localhost:8000", which is no http(s) address'),
        ("http://localhost:8000/", "leave out the slash at its end"),
    ],
)
def test_the_dashboards_build_refuses_an_invalid_api_url(
    children: Guard, url: str, sentence: str
) -> None:
    with pytest.raises(UserError) as refused:
        SiteBuilder(HOME, children).build(FRONTEND, {"NEXT_PUBLIC_API_URL": url})
    assert sentence in str(refused.value)


def test_the_lock_file_has_every_platforms_packages_and_no_urls() -> None:
    packages: dict[str, dict[str, Any]] = json.loads(
        (FRONTEND / "package-lock.json").read_text(encoding="utf-8")
    )["packages"]
    installed = {path.rpartition("node_modules/")[2] for path in packages}
    named = {name for entry in packages.values() for name in entry.get("optionalDependencies", {})}
    assert {
        "@next/swc-darwin-arm64",
        "@next/swc-linux-arm64-gnu",
        "@biomejs/cli-darwin-arm64",
    } <= named
    assert named - installed == set()
    assert [path for path, entry in packages.items() if "resolved" in entry] == []
    assert [path for path, entry in packages.items() if path and "integrity" not in entry] == []


def test_package_versions_are_exact() -> None:
    manifest = json.loads((FRONTEND / "package.json").read_text(encoding="utf-8"))
    versions = {**manifest["dependencies"], **manifest["devDependencies"]}
    assert versions["next"] == "16.4.5"
    assert [
        name for name, version in versions.items() if not re.fullmatch(r"\d+\.\d+\.\d+", version)
    ] == []


def test_this_machine_has_a_node_with_npm(tmp_path: Path) -> None:
    assert find_node(tmp_path / "node.json").npm_cli.is_file()
