"""How database schemas are compared, and when they cannot be."""

from stack.report.database import Migrated, Schemas


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
