"""What `stack down` stops when no supervisor runs."""

import subprocess
import sys
from pathlib import Path

import psutil

from stack.local.daemon import client
from stack.local.system.paths import LocalPaths
from stack.local.system.processes import Guard
from tests.support.processes import becomes_true, is_gone
from tests.support.project_files import ROOT

SUPERVISOR = f"""
import os, signal, sys
from pathlib import Path
from {Guard.__module__} import Guard
guard = Guard(Path(sys.argv[1]))
guard.start()
child = guard.spawn(["/bin/sleep", "60"], what="a child")
print(child.pid, flush=True)
os.kill(os.getpid(), signal.SIGSTOP)  # so that it does not replace its guard
"""


def test_down_ends_what_a_supervisor_left_that_was_killed_with_its_guard(tmp_path: Path) -> None:
    paths = LocalPaths(tmp_path)
    paths.create()
    with subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(paths.run)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    ) as supervisor:
        assert supervisor.stdout is not None
        child = int(supervisor.stdout.readline())
        assert becomes_true(
            lambda: psutil.Process(supervisor.pid).status() == psutil.STATUS_STOPPED
        )
        for process in psutil.Process(supervisor.pid).children():
            if process.pid != child:
                process.kill()
        supervisor.kill()
    assert not is_gone(child)
    assert client.stop(paths) is True
    assert becomes_true(lambda: is_gone(child))
    assert client.stop(paths) is False
