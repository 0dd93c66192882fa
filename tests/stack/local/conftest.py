"""Fixtures for tests of the local cloud."""

from pathlib import Path

import pytest

from tests.support.handler_bench import HandlerBench
from tests.support.tiny_project import TinyProject


@pytest.fixture
def bench(tmp_path: Path) -> HandlerBench:
    return HandlerBench(tmp_path)


@pytest.fixture
def tiny(tmp_path: Path) -> TinyProject:
    return TinyProject(tmp_path)
