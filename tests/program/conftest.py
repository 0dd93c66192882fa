"""Evaluations that several files of tests look at."""

from pathlib import Path

import pytest

from tests.support.program import Recording, make_project, recorded


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("program"))


@pytest.fixture
def prod(project: Path) -> Recording:
    return recorded(project)


@pytest.fixture
def dev(project: Path) -> Recording:
    return recorded(project, "dev")


@pytest.fixture
def preview(project: Path) -> Recording:
    return recorded(project, preview=True)
