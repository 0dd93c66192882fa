"""The documents agree with the code: what they name exists, and what they list is complete."""

import ast
import json
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from stack.cli.main import main as stack
from tests.support.project_files import ROOT, tracked

DOCUMENTS = (
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
)
DECISIONS = sorted((ROOT / "docs/decisions").glob("*.md"))
README_WORDS = 1000
DECISION_LINES = 45
DECISION_SECTIONS = ["Context", "Decision", "Alternatives", "Consequences"]


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def rows(document: str, start: str) -> Iterator[list[str]]:
    """Yield the cells of the document's table rows whose first cell begins with `start`."""
    for line in text(ROOT / document).splitlines():
        if line.startswith(f"| {start}"):
            yield [cell.strip() for cell in line.strip("| ").split(" | ")]


def row(document: str, key: str) -> list[str]:
    found = list(rows(document, f"`{key}`"))
    assert len(found) == 1, f"{document} has {len(found)} table rows for `{key}`"
    return found[0]


def shown(default: Any) -> str:
    """Return a default as the table of keys shows it."""
    if default in ("", []):
        return "empty"
    return f"`{json.dumps(default) if isinstance(default, bool) else default}`"


def constant(file: str, name: str) -> Any:
    """Return a literal of a module without importing it."""
    for node in ast.parse(text(ROOT / file)).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return ast.literal_eval(node.value)
    raise AssertionError(f"{file} has no {name}")


# What the documents say of the code


def test_configuration_md_has_every_key_with_its_default_and_no_other() -> None:
    document = "docs/configuration.md"
    declared = yaml.safe_load(text(ROOT / "Pulumi.yaml"))["config"]
    secrets = constant("config/stack_config.py", "SECRET_KEYS")
    for key, declaration in declared.items():
        default = declaration.get("default", declaration.get("value"))
        assert row(document, key)[1] == shown(default), f"the default of {key}"
    for key in secrets:
        assert row(document, key)[1] == "secret"
    keys = {cells[0].strip("`") for cells in rows(document, "`")}
    assert keys == {*declared, *secrets}


def test_local_md_has_every_make_target_and_no_other() -> None:
    targets = re.findall(r"^([a-z-]+):.*## ", text(ROOT / "Makefile"), re.MULTILINE)
    assert len(targets) > 5
    listed = [cells[0].strip("`") for cells in rows("docs/local.md", "`make ")]
    assert sorted(listed) == sorted(f"make {target}" for target in targets)


def help_of(capsys: pytest.CaptureFixture[str], *command: str) -> str:
    with pytest.raises(SystemExit):
        stack([*command, "--help"])
    return capsys.readouterr().out


def test_local_md_has_every_stack_command_with_its_flags_and_no_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    commands = re.findall(r"^ {4}([a-z]+)\b", help_of(capsys), re.MULTILINE)
    assert "up" in commands
    for command in commands:
        listed = " ".join(row("docs/local.md", f"stack {command}"))
        help_text = help_of(capsys, command)
        flags = set(re.findall(r"(?<![\w-])(--?[a-z][a-z-]*)", help_text)) - {"-h", "--help"}
        missing = {flag for flag in flags if not re.search(rf"(?<![\w-]){flag}(?![\w-])", listed)}
        assert missing == set(), f"flags of `stack {command}`"
    assert mentioned("stack") - {*commands} == set()


def test_make_targets_that_documents_mention_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", text(ROOT / "Makefile"), re.MULTILINE))
    assert mentioned("make") - targets == set()


def mentioned(program: str) -> set[str]:
    """Return the subcommands of a program that documents have in code."""
    return {
        command
        for document in DOCUMENTS
        for command in re.findall(
            rf"(?:`|^){program} ([a-z][a-z-]*)\b", text(document), re.MULTILINE
        )
    }


def test_deploy_md_has_every_stack_output_and_no_other() -> None:
    calls = [
        node
        for node in ast.walk(ast.parse(text(ROOT / "__main__.py")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pulumi.export"
    ]
    outputs = [ast.literal_eval(call.args[0]) for call in calls]
    assert "api_url" in outputs
    section = text(ROOT / "docs/deploy.md").partition("\n## Outputs\n")[2]
    assert sorted(re.findall(r"^\| `([a-z_]+)` \|", section, re.MULTILINE)) == sorted(outputs)


def test_own_service_md_has_every_variable_of_the_function() -> None:
    sources = text(ROOT / "config/stack_config.py") + text(ROOT / "components/service.py")
    variables = set(re.findall(r'^\s*"([A-Z][A-Z_]+)":', sources, re.MULTILINE))
    variables |= set(re.findall(r'"([A-Z][A-Z_]+)": config\.', sources))
    assert {"DATABASE_URL", "OPENAI_API_KEY"} <= variables
    document = text(ROOT / "docs/own-service.md")
    assert {variable for variable in variables if f"`{variable}`" not in document} == set()


def test_errors_of_this_project_that_troubleshooting_md_quotes_exist() -> None:
    """`…` in a quotation is a value. Its longest part has to be a text of the source."""
    sources = "\n".join(texts("bundle", "common", "components", "config", "stack"))
    of_a_provider = {"Insufficient permissions to enable logging"}
    quoted = {
        quotation
        for start in ("`", "local: `")
        for cells in rows("docs/troubleshooting.md", start)
        for quotation in re.findall(r"`([^`]+)`", cells[0])
        if " " in quotation
    } - of_a_provider
    assert len(quoted) > 8
    parts = {max(quotation.split("…"), key=len).strip() for quotation in quoted}
    assert {part for part in parts if part not in sources} == set()


def texts(*packages: str) -> Iterator[str]:
    """Yield the string constants of packages, the constant parts of f-strings too."""
    for package in packages:
        for file in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(text(file))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value


def test_service_api_md_names_only_routes_that_the_openapi_document_has() -> None:
    paths = json.loads(text(ROOT / "docs/openapi.json"))["paths"]
    known = {re.sub(r"\{\w+\}", "{id}", path) for path in paths}
    listed = re.findall(r"`(?:GET|POST|PATCH) ([^`?]+)`", text(ROOT / "docs/service-api.md"))
    assert len(listed) > 10
    assert set(listed) - known == set()


def test_the_readme_has_at_most_a_thousand_words() -> None:
    assert len(text(ROOT / "README.md").split()) <= README_WORDS


def test_the_readme_links_to_every_document() -> None:
    links = set(re.findall(r"\]\(([^)\s#]+)", text(ROOT / "README.md")))
    documents = {name_of(path) for path in (ROOT / "docs").glob("*.md")}
    assert {*documents, "CONTRIBUTING.md", "CHANGELOG.md"} - links == set()


# Links and paths


def anchors(document: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    without_code = re.sub(r"^```.*?^```", "", text(document), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", without_code, re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings
    }


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_links_of_a_document_have_a_target(document: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", text(document))
    for link in (link for link in links if not urlsplit(link).scheme):
        path, _, anchor = link.partition("#")
        target = document.parent / unquote(path) if path else document
        assert target.exists(), f"{name_of(document)} links to {link}"
        assert target.resolve().is_relative_to(ROOT.resolve()), link
        if anchor:
            assert target.suffix == ".md", f"{name_of(document)} links to {link}"
            assert anchor in anchors(target), f"{name_of(document)} links to {link}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_paths_that_a_document_mentions_exist(document: Path) -> None:
    """A path is relative to the checkout. A bare file name is the name of any tracked file."""
    files = tracked()
    top = {path.relative_to(ROOT).parts[0] for path in files}
    names = {path.name for path in files}
    for mention in re.findall(
        r"`([\w./*-]+/[\w./*-]*|[\w-]+\.(?:py|yaml|yml|toml|json|in|txt|md))`", text(document)
    ):
        if "/" not in mention:
            assert mention in names or list(ROOT.glob(mention)), (
                f"{name_of(document)} mentions {mention}"
            )
        elif mention.split("/")[0] in top:
            assert list(ROOT.glob(mention)), f"{name_of(document)} mentions {mention}"


# Form


def test_the_changelog_begins_with_the_version_of_the_project() -> None:
    versions = re.findall(r"^## \[(.+?)\]", text(ROOT / "CHANGELOG.md"), re.MULTILINE)
    project = tomllib.loads(text(ROOT / "pyproject.toml"))["project"]
    assert versions[0] == project["version"]


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_is_short_and_has_the_agreed_form(decision: Path) -> None:
    lines = text(decision).splitlines()
    number = int(lines[0].removeprefix("# ").partition(".")[0])
    assert decision.stem.startswith(f"{number:04}-")
    assert re.fullmatch(r"Accepted, \d{4}-\d\d-\d\d, in \d+\.\d+\.\d+\.", lines[2]), "the date"
    assert [line[3:] for line in lines if line.startswith("## ")] == DECISION_SECTIONS
    assert len(lines) <= DECISION_LINES


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = [int(decision.stem[:4]) for decision in DECISIONS]
    assert numbers == list(range(1, len(numbers) + 1))


# Nothing of the machine that the project was written on


def registries() -> Iterator[str]:
    """Yield the hosts of package registries: the public ones, and those that this machine uses."""
    yield from (
        ".".join(parts)
        for parts in (
            ("pypi", "org"),
            ("files", "pythonhosted", "org"),
            ("registry", "npmjs", "org"),
            ("registry", "yarnpkg", "com"),
            ("registry", "opentofu", "org"),
            ("registry", "terraform", "io"),
        )
    )
    for name, value in os.environ.items():
        if (
            re.search(r"INDEX|REGISTRY|PROXY", name.upper())
            and (host := urlsplit(value).hostname)
            and "." in host
            and not host[-1].isdigit()
        ):
            yield host


def test_no_file_names_a_package_registry_or_a_directory_of_a_developers_machine() -> None:
    homes = "|".join(
        ("ro" + "ot", "ho" + r"me/\w+", "Us" + r"ers/\w+", "wo" + "rk", "work" + "space")
    )
    forbidden = re.compile(
        rf"(?<![\w.:*$~)}}\]-])/(?:{homes})/[\w.]|{'|'.join(map(re.escape, registries()))}"
    )
    found = [
        f"{name_of(path)}:{number}: {match[0]}"
        for path in tracked()
        for number, line in enumerate(
            path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1
        )
        if (match := forbidden.search(line))
    ]
    assert found == []
