"""The files of the dashboard that are deployed."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from common.errors import UserError
from components.site_files import ALWAYS_IGNORED, site_files
from tests.support.project_files import ROOT


def write(directory: Path, *names: str) -> None:
    for name in names:
        file = directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name, encoding="utf-8")


def deployed(directory: Path) -> list[str]:
    return list(site_files(directory, directory))


def test_each_file_is_mapped_to_its_size_and_sha1_below_the_programs_directory(
    tmp_path: Path,
) -> None:
    write(tmp_path / "frontend", "app/page.tsx", "vercel.json")
    sha1 = hashlib.sha1(b"app/page.tsx").hexdigest()
    assert site_files(tmp_path / "frontend", tmp_path)["frontend/app/page.tsx"] == f"12~{sha1}"
    assert list(site_files(tmp_path / "frontend", tmp_path)) == [
        "frontend/app/page.tsx",
        "frontend/vercel.json",
    ]


def test_the_map_does_not_depend_on_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "frontend", "a", "b/c")
    absolute = site_files(tmp_path / "frontend", tmp_path)
    monkeypatch.chdir(tmp_path)
    assert site_files(Path("frontend"), Path()) == absolute


def test_what_vercel_ignores_in_every_project_is_ignored_in_every_directory(tmp_path: Path) -> None:
    write(tmp_path, "kept.ts", ".env.production", "lib/kept.ts", "lib/.npmrc")
    write(
        tmp_path,
        ".git/config",
        "node_modules/a/b.js",
        "lib/node_modules/x",
        ".next/cache/y",
        ".env.local",
        "lib/.env.test.local",
    )
    write(
        tmp_path,
        ".gitignore",
        "lib/.DS_Store",
        ".page.tsx.swp",
        "x.tfstate",
        ".terraform.lock.hcl",
        "npm-debug.log",
    )
    assert deployed(tmp_path) == [".env.production", "kept.ts", "lib/.npmrc", "lib/kept.ts"]


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        ("name", ["a/x.log", "a/y.txt", "x.log"]),
        ("/name", ["a/name", "a/x.log", "a/y.txt", "x.log"]),
        ("a/", ["name", "x.log"]),
        ("name/", ["a/name", "a/x.log", "a/y.txt", "name", "x.log"]),
        ("*.log", ["a/name", "a/y.txt", "name"]),
        ("/a/*.log", ["a/name", "a/y.txt", "name", "x.log"]),
        ("# name", ["a/name", "a/x.log", "a/y.txt", "name", "x.log"]),
        ("x.log", ["a/name", "a/y.txt", "name"]),
        ("xalog", ["a/name", "a/x.log", "a/y.txt", "name", "x.log"]),
    ],
)
def test_vercelignore_names_files_and_directories(
    tmp_path: Path, pattern: str, left: list[str]
) -> None:
    write(tmp_path, "name", "x.log", "a/name", "a/x.log", "a/y.txt")
    (tmp_path / ".vercelignore").write_text(f"\n{pattern}\n.vercelignore\n", encoding="utf-8")
    assert deployed(tmp_path) == left


@pytest.mark.parametrize("pattern", ["!kept", "a/b", "**/x", "file?", "[ab]", "a\\ b"])
def test_an_unsupported_pattern_is_refused_with_its_line(tmp_path: Path, pattern: str) -> None:
    (tmp_path / ".vercelignore").write_text(f"fine\n{pattern}\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"\.vercelignore, line 2: .*is not supported"):
        site_files(tmp_path, tmp_path)


def test_a_link_is_refused_unless_it_is_ignored(tmp_path: Path) -> None:
    write(tmp_path, "file")
    (tmp_path / "link").symlink_to("file")
    with pytest.raises(UserError, match="link is no plain file"):
        site_files(tmp_path, tmp_path)
    (tmp_path / ".vercelignore").write_text("link\n.vercelignore\n", encoding="utf-8")
    assert deployed(tmp_path) == ["file"]


def test_a_missing_directory_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no directory .*frontend"):
        site_files(tmp_path / "frontend", tmp_path)


def test_output_of_builds_and_files_of_editors_change_nothing(tmp_path: Path) -> None:
    copy = tmp_path / "frontend"
    for name in site_files(ROOT / "frontend", ROOT):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / name)
    before = site_files(copy, tmp_path)
    write(
        copy,
        "node_modules/next/index.js",
        ".next/BUILD_ID",
        "out/index.html",
        "next-env.d.ts",
        "tsconfig.tsbuildinfo",
        ".env",
    )
    write(
        copy,
        ".env.production.local",
        ".env.development.local",
        ".vercel/project.json",
        "app/.page.tsx.swp",
        ".DS_Store",
        "npm-debug.log",
    )
    write(copy, ".idea/workspace.xml", ".vscode/settings.json", "app/page.tsx~")
    assert site_files(copy, tmp_path) == before


def test_the_deployed_files_are_those_that_git_tracks_and_that_are_not_ignored(
    tmp_path: Path,
) -> None:
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    lines = (ROOT / "frontend" / ".vercelignore").read_text(encoding="utf-8").splitlines()
    rules = tmp_path / "ignored"  # git anchors at the repository's root
    rules.write_text(
        "\n".join(
            [
                *(f"/frontend{line}" if line.startswith("/") else line for line in lines),
                *ALWAYS_IGNORED,
            ]
        ),
        encoding="utf-8",
    )
    tracked = git("ls-files", "-z", "frontend")
    left_out = git("ls-files", "-z", "--cached", "--ignored", f"--exclude-from={rules}", "frontend")
    assert sorted(site_files(ROOT / "frontend", ROOT)) == sorted(tracked - left_out)


def git(*arguments: str) -> set[str]:
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or name == "GIT_INDEX_FILE"
    }
    result = subprocess.run(
        ["git", "-C", ROOT, *arguments], capture_output=True, text=True, env=environment
    )
    if result.returncode:
        pytest.skip(f"git cannot list the tracked files: {result.stderr.strip()}")
    return set(filter(None, result.stdout.split("\0")))
