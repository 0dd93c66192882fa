"""What makes a deployment call the migration again."""

import os
from pathlib import Path

import pytest

from bundle import migrations_hash
from tests.support.project_files import ROOT

SOURCES = {
    "service/__init__.py": "",
    "service/migrate.py": "from service import logs\nfrom .locks import KEY\n",
    "service/logs.py": "import json\n",
    "service/locks.py": "KEY = 1\n",
    "service/handler.py": "",
    "service/schema/__init__.py": "",
    "service/schema/tables.py": "def later():\n    from service.schema.columns import NAME\n",
    "service/schema/columns.py": "NAME = 1\n",
    "service/schema/responses.py": "",
    "service/migrations/env.py": "import service.schema.tables\n",
    "service/migrations/versions/0001.py": "from ..names import NAME\n",
    "service/migrations/names.py": "NAME = 1\n",
    "service/migrations/README.md": "",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in SOURCES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize("name", SOURCES)
def test_the_call_is_repeated_when_what_it_runs_changes_and_only_then(
    project: Path, name: str
) -> None:
    unrelated = name.endswith(("handler.py", "responses.py", "README.md"))
    before = migrations_hash(project)
    with (project / name).open("a") as file:
        file.write("# changed\n")
    assert (migrations_hash(project) == before) == unrelated


def test_a_new_a_renamed_and_a_removed_migration_count_and_times_do_not(project: Path) -> None:
    hashes = [migrations_hash(project)]
    os.utime(project / "service/migrate.py", (1, 1))
    assert migrations_hash(project) == hashes[0]
    path = project / "service/migrations/versions/0002.py"
    path.write_text("revision = '0002'\n")
    hashes.append(migrations_hash(project))
    path = path.rename(path.with_name("0002_b.py"))
    hashes.append(migrations_hash(project))
    path.write_text("def broken(:\n")
    hashes.append(migrations_hash(project))
    assert len(set(hashes)) == 4
    path.unlink()
    assert migrations_hash(project) == hashes[0]


def test_the_migration_of_this_project_is_covered(tmp_path: Path) -> None:
    for path in (ROOT / "service").rglob("*.py"):
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    before = migrations_hash(tmp_path)
    assert before == migrations_hash(ROOT)
    for name in ("service/migrate.py", "service/migration_files.py", "service/logs.py"):
        text = (tmp_path / name).read_text()
        (tmp_path / name).write_text(text + "\n")
        assert migrations_hash(tmp_path) != before, name
        (tmp_path / name).write_text(text)
