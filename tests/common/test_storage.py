"""How errors of files and directories are described."""

import errno
import shutil
from pathlib import Path

import pytest

from common.storage import storage_problem

DATA = Path("/data")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.ENOSPC, "x"), "/data: the disk is full"),
        (OSError(errno.ENOSPC, "x", "/file"), "/file: the disk is full"),
        (OSError(errno.ENOSPC, "x", "/source", None, "/target"), "/target: the disk is full"),
        (PermissionError(errno.EACCES, "x", "/file"), "/file: this user may not use it"),
        (OSError(errno.EROFS, "x", "/file"), "/file: the file system is mounted read-only"),
        (
            shutil.Error([("/source", "/target", "[Errno 28] No space left on device: '/source'")]),
            "/target: the disk is full",
        ),
    ],
)
def test_the_path_comes_first_and_then_what_to_change(error: OSError, expected: str) -> None:
    problem = storage_problem(error, DATA)
    assert problem
    assert problem.startswith(expected)


def test_a_path_below_a_file_is_described_by_that_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError) as raised:
        (tmp_path / "file" / "below" / "it").read_text()
    problem = storage_problem(raised.value, DATA)
    assert problem
    assert problem.startswith(f"{tmp_path / 'file'}: it is no directory")


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x"),
        FileNotFoundError(errno.ENOENT, "x", "y"),
        ConnectionRefusedError(errno.ECONNREFUSED, "x"),
        shutil.Error([("/source", "/target", "no such file")]),
    ],
)
def test_errors_that_do_not_concern_the_storage_are_not_described(error: Exception) -> None:
    assert storage_problem(error, DATA) is None
