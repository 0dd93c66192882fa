from pathlib import Path

import pytest

from tests.support.lambdas import FunctionRunner


@pytest.fixture
def runner(tmp_path: Path) -> FunctionRunner:
    return FunctionRunner(tmp_path)
