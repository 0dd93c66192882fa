"""Replaces the product by a small service and site of one's own: `make new-service`.

The tables below are the list of what belongs to the product. What is not in them stays: the
program, the bundle, the local cloud, the report, the workflows, and the tests of these.
"""

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GONE_ROOTS = {"service", "frontend", "benchmarks", "docs", "scripts", "tests"}
TEMPLATES = "scripts/own_service"

REMOVED = (
    "service",
    "frontend/app",
    "frontend/components",
    "frontend/lib",
    "benchmarks",
    "requirements/service.in",
    "docs/openapi.json",
    "docs/service-api.md",
    "docs/first-live-run.md",
    "README.md",
    "CHANGELOG.md",
    "scripts/check_migrations.py",
    "scripts/migration.py",
    "scripts/openapi.py",
    # tests of the product, and those that use it to look at the rest
    "tests/deployed",
    "tests/frontend",
    "tests/service",
    "tests/bundle/test_layer.py",
    "tests/config/test_service_settings.py",
    "tests/project/test_migration_script.py",
    "tests/project/test_new_service.py",
    "tests/stack/cli/test_stack.py",
    "tests/stack/cli/test_stack_life.py",
    "tests/stack/cli/test_stack_shell.py",
    "tests/stack/cli/test_stack_watch.py",
    "tests/stack/local/pulumi_provider/test_engine.py",
    "tests/stack/local/pulumi_provider/test_engine_faults.py",
    "tests/stack/local/pulumi_provider/test_engine_protection.py",
    "tests/stack/report/test_report.py",
    "tests/stack/report/test_schemas.py",
    "tests/support/browser.py",
    "tests/support/pgbouncer.py",
    "tests/support/stand_in_api.py",
    "tests/support/stand_in_openai.py",
    # this command
    "scripts/new_service.py",
    TEMPLATES,
)
"""Files and directories that go."""

WRITTEN = {
    "service": "service",
    "README.md": "README.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "service.in": "requirements/service.in",
    "frontend": "frontend/app",
    "tests": "tests/service",
}
"""What takes their place: a path below the templates, and where it goes."""

SECTIONS = {
    "CONTRIBUTING.md": (
        "### The service",
        "### A route",
        "### An account column",
        "### A page",
        "### A migration",
    ),
    "docs/architecture.md": ("## Flat to a million accounts",),
    "docs/local.md": ("## Import your own accounts",),
}
"""Sections of documents that go."""

_TARGETS = "fuzz|bench|openapi|migration|new-service"
EDITS = {
    "Makefile": (
        (rf"(?m)^({_TARGETS}):.*\n(\t.*\n)+\n", ""),
        (r"(?m)^\t.*check_migrations.*\n", ""),
        (r"(?m)^(\.PHONY:).*", r"\1 .FORCE help up down logs test check lock clean"),
    ),
    "CONTRIBUTING.md": (
        (r"(?m)^\| measurements \|.*\n", ""),
        (r"(?ms)^- `tests/deployed` sends.*?(?=^- )", ""),
        (r" `make bench` measures\.", ""),
        (r"(?ms)^`make bench ARGS=service`.*?\n\n", ""),
    ),
    "docs/local.md": ((rf"(?m)^\| `make ({_TARGETS})`.*\n", ""),),
    "docs/own-service.md": ((r"(?s)`make new-service`.*?\n\n", ""),),
    "pyproject.toml": (
        (r', "benchmarks"', ""),
        (r'(?m)^"(service|benchmarks)/.*\n', ""),
        (r', "scripts/own_service"', ""),
        (r"(?ms)^\[tool\.alembic\].*?\n\n", ""),
    ),
    "tests/project/test_layering.py": (
        (r"(?ms)^SERVICE_LAYERS = \(.*?^\)", "SERVICE_LAYERS: tuple[tuple[str, ...], ...] = ()"),
        (r"(?s)\n\n\ndef package\(name.*", "\n"),
    ),
    "tests/project/test_docs.py": ((r"(?ms)^def test_service_api_md.*?(?=^def )", ""),),
}
"""Regular expressions, and what takes the place of their matches."""


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="make new-service", description=__doc__)
    parser.add_argument("--yes", action="store_true", help="do not ask")
    options = parser.parse_args(arguments)
    check_clean()
    removed = [path for path in REMOVED if (ROOT / path).exists()]
    print("This removes", *removed, sep="\n  ")
    print("and writes", *sorted(WRITTEN.values()), sep="\n  ")
    if not options.yes:
        if not sys.stdin.isatty():
            raise SystemExit("error: it asks before it removes files; without a terminal add --yes")
        if input("Continue? [y/N] ").strip().lower() not in ("y", "yes"):
            raise SystemExit("nothing was changed")
    replace_product()
    git("add", "--all")  # the site's files are those that Git knows
    print("Done. Now: make lock, make check, make test. `git diff --cached` shows the change.")


def git(*arguments: str) -> str:
    finished = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if finished.returncode != 0:
        raise SystemExit("error: this is no Git checkout, so nothing could be brought back")
    return finished.stdout


def check_clean() -> None:
    """Refuse a checkout whose files could not be brought back with Git."""
    if status := git("status", "--porcelain"):
        changed = "\n".join(f"  {line}" for line in status.splitlines()[:10])
        raise SystemExit(f"error: commit or remove these changes first:\n{changed}")


def replace_product() -> None:
    # Read first, because the templates and this file go too.
    templates = ROOT / TEMPLATES
    written = {
        ROOT / target / path.relative_to(templates / source): path.read_bytes()
        for source, target in WRITTEN.items()
        for path in (
            [templates / source] if (templates / source).is_file() else files(templates / source)
        )
    }
    for name in REMOVED:
        path = ROOT / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    for path, data in written.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    for name, edits in EDITS.items():
        change(name, edits)
    for name, headings in SECTIONS.items():
        # A section ends at the next heading of its level or above.
        change(name, [(section(heading), "") for heading in headings])
    listed = git("ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    names = {Path(name).name for name in listed if (ROOT / name).is_file()}
    for path in (ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")):
        path.write_text(without_broken_references(path, names), encoding="utf-8")


def files(directory: Path) -> list[Path]:
    return [
        path
        for path in sorted(directory.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    ]


def section(heading: str) -> str:
    level = heading.index(" ")
    return rf"(?ms)^{re.escape(heading)}\n.*?(?=^#{{1,{level}}} |\Z)"


def change(name: str, edits: Iterable[tuple[str, str]]) -> None:
    """Replace matches in a file. An edit without a match is an error in the tables."""
    text = (ROOT / name).read_text(encoding="utf-8")
    for pattern, replacement in edits:
        text, found = re.subn(pattern, replacement, text)
        if not found:
            raise SystemExit(f"error: {name} has no match for {pattern}")
    (ROOT / name).write_text(text, encoding="utf-8")


def without_broken_references(document: Path, names: set[str]) -> str:
    """Return a document in which links and paths without a target are plain text."""
    text = document.read_text(encoding="utf-8")

    def link(match: re.Match[str]) -> str:
        path, _, anchor = match[2].partition("#")
        target = document.parent / path if path else document
        good = "://" in path or (target.exists() and (not anchor or anchor in anchors(target)))
        return match[0] if good else match[1]

    def mention(match: re.Match[str]) -> str:
        name = match[1]
        top = name.split("/")[0]
        gone = top in GONE_ROOTS and not list(ROOT.glob(name))
        gone = gone or ("/" not in name and name not in names)
        return name if gone else match[0]

    text = re.sub(r"\[([^\]]+)\]\(([^)\s]+)\)", link, text)
    return re.sub(
        r"`([\w./*-]+/[\w./*-]*|[\w-]+\.(?:py|yaml|yml|toml|json|in|txt|md))`", mention, text
    )


def anchors(document: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower()).strip().replace(" ", "-") for text in headings}


if __name__ == "__main__":
    main(sys.argv[1:])
