"""Migrated databases.

A test that writes gets an empty one; tests that only read share one with sample accounts.
"""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import hypothesis
import psycopg2
import pytest
from psycopg2.extensions import connection

from service import migrate as migrations
from service.migrate import migrate
from stack.local.neon.postgres.server import Postgres
from tests.service.lambda_api import SAMPLES, Api, api

hypothesis.settings.register_profile("service", deadline=None, database=None)
hypothesis.settings.load_profile("service")

OWNER, PASSWORD, TEMPLATE = "service_tests", secrets.token_urlsafe(12), "service_template"


@pytest.fixture(scope="session")
def migrated_template(postgres: Postgres) -> str:
    postgres.create_role(OWNER, PASSWORD)
    postgres.create_database(TEMPLATE, OWNER)
    migrate(postgres.url(OWNER, PASSWORD, TEMPLATE))
    return TEMPLATE


def _copy(postgres: Postgres, template: str) -> Iterator[str]:
    name = f"service_{secrets.token_hex(6)}"
    postgres.copy_database(template, name, OWNER)
    yield postgres.url(OWNER, PASSWORD, name)
    postgres.drop_database(name)


@pytest.fixture
def url(postgres: Postgres, migrated_template: str) -> Iterator[str]:
    """The URL of a migrated, empty database for one test."""
    yield from _copy(postgres, migrated_template)


@pytest.fixture(scope="module")
def module_url(postgres: Postgres, migrated_template: str) -> Iterator[str]:
    """The same for a module, which fills it once."""
    yield from _copy(postgres, migrated_template)


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the migrations that a test can add to, without bytecode."""
    copy = tmp_path / "100% of migrations"
    shutil.copytree(migrations.SCRIPTS, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(migrations, "SCRIPTS", copy)
    return copy


@pytest.fixture
def service(url: str) -> Iterator[Api]:
    """The function on the test's own database."""
    yield from _function(url)


@pytest.fixture
def sql(url: str) -> Iterator[connection]:
    """A connection of the test to that database."""
    with closing(psycopg2.connect(url)) as opened:
        opened.autocommit = True
        yield opened


@pytest.fixture(scope="session")
def sampled_url(postgres: Postgres, migrated_template: str) -> str:
    """A database with sample accounts, for tests that only read."""
    postgres.copy_database(migrated_template, "service_sampled", OWNER)
    return postgres.url(OWNER, PASSWORD, "service_sampled")


@pytest.fixture(scope="session")
def sampled(sampled_url: str) -> Iterator[Api]:
    started = _function(sampled_url)
    function = next(started)
    assert function.post("/ingest/generate-mock", count=SAMPLES, seed=3).status == 200
    yield function
    next(started, None)


@pytest.fixture(scope="session")
def sampled_sql(sampled: Api, sampled_url: str) -> Iterator[connection]:
    with closing(psycopg2.connect(sampled_url)) as opened:
        opened.autocommit = True
        yield opened


def _function(url: str) -> Iterator[Api]:
    function = api(url)
    yield function
    function.close()
