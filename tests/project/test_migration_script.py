"""`make migration` writes the difference between the declared tables and the newest migration."""

import shutil
from pathlib import Path

import pytest

from scripts import migration
from service import migrate


@pytest.fixture
def versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the migrations' directory that the script writes to."""
    copy = tmp_path / "migrations"
    shutil.copytree(migrate.SCRIPTS, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(migrate, "SCRIPTS", copy)
    monkeypatch.setattr(migration, "SCRIPTS", copy)
    return copy / "versions"


def test_the_next_migration_has_the_next_number_and_the_difference_of_the_tables(
    versions: Path,
) -> None:
    newest = sorted(versions.glob("[0-9]*.py"))[-1]
    newest.unlink()
    path, different = migration.write_migration("declare what is missing")
    assert different
    assert path == versions / f"{newest.name[:4]}_declare_what_is_missing.py"
    written = path.read_text(encoding="utf-8")
    assert written.startswith('"""Declare what is missing."""\n')
    assert f'revision = "{newest.name[:4]}"' in written
    assert "    op." in written


def test_without_a_difference_the_migration_is_empty_and_the_script_says_so(versions: Path) -> None:
    path, different = migration.write_migration("move data")
    assert not different
    assert "op." not in path.read_text(encoding="utf-8").replace("import op", "")


@pytest.mark.parametrize("name", [(), ("",), ("0004",), ('say "it"',)])
def test_a_name_that_cannot_be_used_writes_nothing(
    versions: Path, name: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(versions.iterdir())
    assert migration.main(name) == 2
    assert "make migration NAME=" in capsys.readouterr().err
    assert sorted(versions.iterdir()) == before
