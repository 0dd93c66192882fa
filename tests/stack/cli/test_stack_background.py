"""`stack up` as a background job of a non-interactive shell, which starts with SIGINT ignored."""

import signal
from pathlib import Path

from tests.support import checkout


def ignore_sigint() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def test_sigint_stops_a_stack_that_was_started_with_sigint_ignored(tmp_path: Path) -> None:
    copy = checkout.make(tmp_path / "checkout")
    process = copy.start("up", "--no-frontend", preexec_fn=ignore_sigint)
    try:
        assert process.stdout is not None
        assert any("The API" in line for line in process.stdout), copy.log()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
        assert process.returncode == 0
        assert copy.gone(1) == []
    finally:
        process.kill()
        process.communicate()
        copy.run("reset", "--yes")
