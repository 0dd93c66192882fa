"""How database schemas are compared, and when they cannot be."""

import shutil
import tempfile
from pathlib import Path

from stack.report.database import Migrated, Schemas, server
from stack.report.revisions import Side
from tests.support.project_files import ROOT


def test_wrong_files_of_the_head_are_named_in_its_error(tmp_path: Path) -> None:
    root = tmp_path / "head"
    shutil.copytree(ROOT / "service", root / "service")
    versions = root / "service/migrations/versions"
    shutil.copy(versions / "0002_portfolio.py", versions / "0002_copy.py")
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o711)  # the server may run as another user
        with server(Path(directory)) as compared:
            schemas = compared.compare(
                Side(label="base", root=ROOT, commit="a"), Side(label="head", root=root, commit="b")
            )
    assert not schemas.base.error
    for migrated in (schemas.head, schemas.upgraded):
        assert migrated.error.startswith("error: 0002_copy.py and 0002_portfolio.py have the same")
        assert len(migrated.error.splitlines()) == 1


def test_the_base_is_compared_with_the_schema_after_the_upgrade() -> None:
    base = Migrated(schema="CREATE TABLE a (\n    b text\n);")
    upgraded = Migrated(schema="CREATE TABLE a (\n    b text,\n    c text\n);")
    difference = Schemas(base=base, head=upgraded, upgraded=upgraded).difference
    assert "+    c text" in difference
    assert not [line for line in difference if line.startswith(("---", "+++"))]


def test_an_edited_released_migration_is_detected() -> None:
    assert Schemas(
        base=Migrated(schema="a"), head=Migrated(schema="b"), upgraded=Migrated(schema="a")
    ).released_migration_edited
    assert not Schemas(
        base=Migrated(schema="a"), head=Migrated(schema="b"), upgraded=Migrated(error="failed")
    ).released_migration_edited


def test_schemas_that_cannot_be_compared_are_not_called_equal() -> None:
    for failed in (
        Schemas(
            base=Migrated(error="failed"), head=Migrated(schema="b"), upgraded=Migrated(error="x")
        ),
        Schemas(base=Migrated(schema="a"), head=Migrated(error="x"), upgraded=Migrated(error="x")),
    ):
        assert failed.difference == []
        assert failed.incomparable
    assert (
        "+b"
        in Schemas(
            base=Migrated(schema="a"), head=Migrated(schema="b"), upgraded=Migrated(error="x")
        ).difference
    )
