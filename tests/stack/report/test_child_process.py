"""Child processes of the report: what they inherit, and how they fail."""

import json
from pathlib import Path

import pytest

from stack.report import child_process


def test_a_child_process_inherits_no_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"):
        monkeypatch.setenv(name, "never-used-here")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://example.com")
    code = "import json, os; print(json.dumps(dict(os.environ)))"
    found = json.loads(child_process.run(["-c", code], tmp_path, variables={"MORE": "1"}))
    assert "never-used-here" not in found.values()
    assert found.keys() >= {"PATH", "UV_DEFAULT_INDEX", "MORE"}


def test_the_error_of_a_failed_child_process_is_the_end_of_its_output(tmp_path: Path) -> None:
    with pytest.raises(child_process.ChildFailedError, match="line 99") as failed:
        child_process.run(
            [
                "-c",
                "import sys\nfor at in range(100): print('line', at, file=sys.stderr)\nsys.exit(3)",
            ],
            tmp_path,
        )
    assert "line 1\n" not in str(failed.value)
