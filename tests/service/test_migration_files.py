"""Files of migrations that are no single history: what is said, without a database and with one."""

from pathlib import Path

import pytest

from scripts import check_migrations
from service import migrate as migrations
from service.migration_files import Down, faults, head
from service.migration_files import migrations as revisions
from tests.conftest import Database

FIRST = 'revision, down_revision = "0001", None\ndef upgrade() -> None: ...\n'
NEWEST = head(revisions())


def write(directory: Path, **files: tuple[str, Down]) -> Path:
    for name, (revision, down) in files.items():
        (directory / f"{name}.py").write_text(
            f"revision = {revision!r}\ndown_revision = {down!r}\n\n\ndef upgrade() -> None: ...\n",
            encoding="utf-8",
        )
    return directory


def test_the_migrations_of_this_checkout_are_one_history() -> None:
    assert faults() == []


def test_make_check_names_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check_migrations.main() == 0
    monkeypatch.setattr(check_migrations, "VERSIONS", write(tmp_path, a=("a", None), b=("b", "x")))
    assert check_migrations.main() == 1
    assert "error: b.py follows 'x'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            {"c_one": ("c", "b"), "c_other": ("c", "b")},
            ["c_one.py and c_other.py have the same revision 'c'"],
        ),
        (
            {"c": ("c", "b"), "d": ("d", "b"), "e": ("e", "a")},
            ["c.py (after 'b'), d.py (after 'b') and e.py (after 'a') are 3 heads", "d", "e"],
        ),
        ({"c": ("c", None)}, ["b.py (after 'a') and c.py (after none) are 2 heads"]),
        ({"c": ("c", "x")}, ["c.py follows 'x', which no file has"]),
        ({"c": ("c", ("b", "x"))}, ["c.py follows 'x', which no file has"]),
        ({"c": ("c", "d"), "d": ("d", "c")}, ["c.py and d.py follow each other in a circle"]),
        ({"c": ("c", "c")}, ["c.py follow each other in a circle"]),
        (
            {"c": ("c", ("b", "e")), "d": ("d", "c"), "e": ("e", "d"), "f": ("f", "e")},
            ["c.py, d.py and e.py follow each other in a circle"],
        ),
        ({"a": ("a", "b")}, ["a.py and b.py follow each other in a circle"]),
        ({"c": ("c-1", "b")}, ["c.py has the revision 'c-1'"]),
        ({"c": ("c" * 33, "b")}, ["1 to 32 characters"]),
    ],
)
def test_files_that_are_no_single_history_are_named_with_what_to_do(
    tmp_path: Path, files: dict[str, tuple[str, Down]], expected: list[str]
) -> None:
    write(tmp_path, a=("a", None), b=("b", "a"))
    write(tmp_path, **files)
    (sentence,) = faults(tmp_path)
    for part in expected:
        assert part in sentence
    assert sentence.partition(": ")[2], "says what to do"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("revision = '0002'\ndown_revision = '0001'\ndef upgrade(:\n", "0002_x.py, line 3: "),
        ("revision = '0002\n", "0002_x.py, line 1: "),
        ("<<<<<<< HEAD\nrevision = '0002'\n=======\n", "0002_x.py, line 1: "),
        ("\0", "0002_x.py"),
        ("# caf\N{LATIN SMALL LETTER E WITH ACUTE}\n", "0002_x.py"),
        ("", "0002_x.py has no revision"),
        ("revision = 2\ndown_revision = '0001'\ndef upgrade(): ...\n", "has no revision"),
        ("revision = '0002'\ndef upgrade(): ...\n", "has no down_revision"),
        ("revision = '0002'\ndown_revision = 1\ndef upgrade(): ...\n", "has no down_revision"),
        ("revision = '0002'\ndown_revision = '0001'\n", "has no function upgrade()"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_its_line(
    tmp_path: Path, text: str, expected: str
) -> None:
    (tmp_path / "0001_x.py").write_text(FIRST)
    (tmp_path / "0002_x.py").write_bytes(text.encode("latin-1"))
    (sentence,) = faults(tmp_path)
    assert expected in sentence


def test_right_merges_annotations_lock_files_and_packages_are_no_fault(tmp_path: Path) -> None:
    write(tmp_path, a=("a", None), b=("b", "a"), c=("c", "a"), d=("d", ("b", "c")))
    (tmp_path / "e.py").write_text(
        'revision: str = "e"\ndown_revision: str | None = "d"\ndef upgrade() -> None: ...\n'
    )
    (tmp_path / "__init__.py").touch()
    (tmp_path / ".#e.py").symlink_to("user@host.1:2")
    assert faults(tmp_path) == []
    assert head(revisions(tmp_path)) == "e"


def test_the_function_names_the_files_before_it_connects(
    scripts: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(scripts / "versions", one=("one", NEWEST), other=("other", NEWEST))
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:hunter2@localhost:1/nowhere")
    with pytest.raises(migrations.MigrationFailedError, match=r"one.py .* and other.py .* heads"):
        migrations.handler({}, None)
    assert "other.py" in capsys.readouterr().out, "the log has it too"
    assert migrations.main() == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("error: one.py (after ")
    assert "hunter2" not in captured.out + captured.err


def test_branches_that_are_merged_are_applied(scripts: Path, database: Database) -> None:
    migrations.migrate(database.url)
    write(scripts / "versions", b1=("b1", NEWEST), b2=("b2", NEWEST), b3=("b3", ("b1", "b2")))
    result = migrations.migrate(database.url)
    assert (sorted(result["applied"][:2]), result["applied"][2:]) == (["b1", "b2"], ["b3"])
    assert (result["revision"], result["ahead"]) == ("b3", False)


def test_the_text_of_alembic_s_own_errors_is_shown(
    scripts: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    (scripts / "versions" / "n.py").write_text(
        f'revision, down_revision = "n", "{NEWEST}"\n'
        "from alembic.util import CommandError\n"
        'def upgrade() -> None: raise CommandError("Target database is not up to date.")\n'
    )
    monkeypatch.setenv("DATABASE_URL", database.url)
    with pytest.raises(migrations.MigrationFailedError) as failed:
        migrations.handler({}, None)
    assert str(failed.value) == "CommandError: Target database is not up to date."


def test_an_import_that_fails_is_named_by_file_and_line(
    scripts: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    (scripts / "versions" / "n.py").write_text(
        f'revision, down_revision = "n", "{NEWEST}"\n'
        "import nowhere\n"
        "def upgrade() -> None: ...\n"
    )  # fmt: skip
    monkeypatch.setenv("DATABASE_URL", database.url)
    with pytest.raises(migrations.MigrationFailedError) as failed:
        migrations.handler({}, None)
    assert str(failed.value) == "ModuleNotFoundError in n.py, line 2"
