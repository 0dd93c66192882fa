"""The documents say what the code does: every name that a reader can use is in them, and every name in them is there."""

import ast
import json
import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from stack.cli.main import main as stack

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = (
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
)
LONGEST_DECISION = 35


def rows(text: str, start: str) -> Iterator[list[str]]:
    """The cells of table rows whose first cell begins with `start`."""
    for line in text.splitlines():
        if line.startswith(f"| {start}"):
            yield [cell.strip() for cell in line.strip("| ").split(" | ")]


def row(key: str) -> list[str]:
    found = list(rows(README, f"`{key}`"))
    assert len(found) == 1, f"the README's tables have {len(found)} rows for `{key}`"
    return found[0]


def tracked() -> list[Path]:
    """What Git tracks, or would if it were added."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"git cannot list the files of this checkout: {error}")
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def written(default: Any) -> str:
    """A default as the README's table has it."""
    if default in ("", []):
        return "empty"
    return f"`{json.dumps(default) if isinstance(default, bool) else default}`"


def constant(file: str, name: str) -> Any:
    """A literal of a module that is not imported for it."""
    for node in ast.parse((ROOT / file).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return ast.literal_eval(node.value)
    raise AssertionError(f"{file} has no {name}")


def test_every_configuration_key_is_in_the_readme_with_its_default() -> None:
    declared = yaml.safe_load((ROOT / "Pulumi.yaml").read_text(encoding="utf-8"))["config"]
    for key, declaration in declared.items():
        default = declaration.get("default", declaration.get("value"))
        assert row(key)[1] == written(default), (
            f"the README's default of {key} is not that of Pulumi.yaml"
        )
    for key in constant("config/stack_config.py", "SECRET_KEYS"):
        assert row(key)[1] == "secret"


def test_every_make_target_is_in_the_readme() -> None:
    targets = re.findall(
        r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert len(targets) > 5
    assert [target for target in targets if not re.search(rf"\bmake {target}\b", README)] == []


def helped(capsys: pytest.CaptureFixture[str], *command: str) -> str:
    with pytest.raises(SystemExit):
        stack([*command, "--help"])
    return capsys.readouterr().out


def test_every_stack_command_is_in_the_readme_with_its_flags_and_no_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    commands = re.findall(r"^ {4}([a-z]+)\b", helped(capsys), re.MULTILINE)
    assert "up" in commands
    for command in commands:
        text = " ".join(row(f"stack {command}"))
        flags = set(re.findall(r"(?<![\w-])(--?[a-z][a-z-]*)", helped(capsys, command))) - {
            "-h",
            "--help",
        }
        assert {
            flag for flag in flags if not re.search(rf"(?<![\w-]){flag}(?![\w-])", text)
        } == set(), f"flags of `stack {command}`"
    assert {command for _, command in _mentioned_commands()} - {*commands} == set()


def _mentioned_commands() -> Iterator[tuple[Path, str]]:
    for document in DOCUMENTS:
        for command in re.findall(r"`stack ([a-z]+)\b", document.read_text(encoding="utf-8")):
            yield document, command


def test_every_stack_output_is_in_the_readme() -> None:
    program = ast.parse((ROOT / "__main__.py").read_text(encoding="utf-8"))
    calls = [
        node
        for node in ast.walk(program)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pulumi.export"
    ]
    outputs = [ast.literal_eval(call.args[0]) for call in calls]
    assert "api_url" in outputs
    for output in outputs:
        row(output)


def test_every_variable_of_the_function_is_in_the_readme() -> None:
    sources = "".join(
        (ROOT / name).read_text(encoding="utf-8")
        for name in ("config/stack_config.py", "components/service.py")
    )
    variables = set(re.findall(r'^\s*"([A-Z][A-Z_]+)":', sources, re.MULTILINE))
    variables |= set(re.findall(r'"([A-Z][A-Z_]+)": config\.', sources))
    assert {"DATABASE_URL", "OPENAI_API_KEY"} <= variables
    assert {variable for variable in variables if f"`{variable}`" not in README} == set()


def _anchors(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings
    }


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_of_a_document_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8"))
    for link in (link for link in links if not urlsplit(link).scheme):
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        assert target.exists(), f"{document.name} links to {link}"
        assert not anchor or anchor in _anchors(target), f"{document.name} links to {link}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_paths_that_a_document_mentions_exist(document: Path) -> None:
    top = {path.relative_to(ROOT).parts[0] for path in tracked()}
    for mention in re.findall(
        r"`([\w./*-]+/[\w./*-]*|[\w-]+\.(?:py|yaml|toml|json|in|txt|md))`",
        document.read_text(encoding="utf-8"),
    ):
        if mention.split("/")[0] in top or "/" not in mention:
            assert list(ROOT.glob(mention)), f"{document.name} mentions {mention}"


def test_the_changelog_begins_with_the_version_of_the_project() -> None:
    versions = re.findall(
        r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert (
        versions[0]
        == tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
            "version"
        ]
    )


@pytest.mark.parametrize(
    "decision", sorted((ROOT / "docs/decisions").glob("*.md")), ids=lambda path: path.stem
)
def test_a_decision_is_short_and_in_the_agreed_form(decision: Path) -> None:
    text = decision.read_text(encoding="utf-8")
    assert decision.stem.startswith(f"{int(text.removeprefix('# ').partition('.')[0]):04}-")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]
    assert len(text.splitlines()) <= LONGEST_DECISION


def _registries() -> Iterator[str]:
    """Hosts that packages come from: the public ones, and what this machine is set to."""
    yield from (
        ".".join(parts)
        for parts in (
            ("pypi", "org"),
            ("files", "pythonhosted", "org"),
            ("registry", "npmjs", "org"),
        )
    )
    yield from (
        ".".join(parts)
        for parts in (
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


def test_no_file_names_a_registry_or_a_place_on_somebodys_machine() -> None:
    homes = "|".join(
        ("ro" + "ot", "ho" + r"me/\w+", "Us" + r"ers/\w+", "wo" + "rk", "work" + "space")
    )
    forbidden = re.compile(
        rf"(?<![\w.:*$~)}}\]-])/(?:{homes})/[\w.]|{'|'.join(map(re.escape, _registries()))}"
    )
    found = [
        f"{path.relative_to(ROOT)}:{number}: {match[0]}"
        for path in tracked()
        for number, line in enumerate(
            path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1
        )
        if (match := forbidden.search(line))
    ]
    assert found == []
