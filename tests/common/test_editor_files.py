"""Files of editors are ignored in every directory that is watched, shipped or hashed."""

import os
from pathlib import Path

import pytest

from bundle import migrations_hash
from bundle.file_tree import code_tree
from common.editor_files import is_editor_file
from components.site_files import site_files
from tests.support.project_files import tracked

EDITOR_FILES = (
    *(".#page.tsx", "#page.tsx#", "page.tsx~", "flycheck_api.py", "api_flymake.py"),
    *(".page.tsx.swp", ".page.tsx.swo", ".page.tsx.swx", ".page.tsx.un~", "4913", "5036"),
    *("page.tsx___jb_tmp___", "page.tsx___jb_old___", ".page.tsx.kate-swp", "page.tsx.save"),
    *("page.tsx.save.1", ".goutputstream-AB12CD", ".page.tsx.kak.x1y2z3", ".tmpAb12Cd"),
    *(".DS_Store", "._page.tsx", "Thumbs.db", "page.tsx:Zone.Identifier", ".~lock.a.csv#"),
    *("~$accounts.xlsx", ".nfs00000001", ".fuse_hidden0001", "page.tsxAb12.bck", "api.py.tmp"),
)
KEPT = (
    *("page.tsx", "api.py", "404", "5000", "swp", "template.html", "save.py", "tmp.py", "[id].tsx"),
    *("icon#2.svg", ".well-known", ".env.example", "flymake.py", "py.typed", "icon.svg"),
)


@pytest.mark.parametrize("name", EDITOR_FILES)
def test_a_file_of_an_editor_is_recognised(name: str) -> None:
    assert is_editor_file(name)


@pytest.mark.parametrize("name", KEPT)
def test_other_files_are_not(name: str) -> None:
    assert not is_editor_file(name)


def test_no_file_of_the_project_is_ignored() -> None:
    assert not [path for path in tracked() if is_editor_file(path.name)]


def leave_editor_files(directory: Path) -> None:
    """Create each as a file, and Emacs's locks as the links that lead nowhere."""
    for name in EDITOR_FILES:
        (directory / name).write_text("unsaved")
    for name in ("page.tsx", "api.py", "0002_next.py"):
        (directory / f".#{name}").unlink(missing_ok=True)
        (directory / f".#{name}").symlink_to("user@host.123:456")
    (directory / ".idea").mkdir()
    (directory / ".idea/workspace.xml").write_text("unsaved")


def test_editors_change_neither_bundle_nor_migrations_nor_site(tmp_path: Path) -> None:
    versions, app = tmp_path / "service/migrations/versions", tmp_path / "frontend/app"
    for directory in (versions, app):
        directory.mkdir(parents=True)
    (versions / "0001_first.py").write_text("")
    (app / "page.tsx").write_text("")

    def found() -> tuple[list[str], str, dict[str, str]]:
        code = [entry.name for entry in code_tree(tmp_path).entries]
        return code, migrations_hash(tmp_path), site_files(tmp_path / "frontend", tmp_path)

    before = found()
    for directory in (versions, versions.parent, tmp_path / "service", app, app.parent):
        leave_editor_files(directory)
    assert found() == before
    assert os.path.lexists(app / ".#page.tsx")
