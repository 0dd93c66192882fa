"""What an execution environment keeps of the invocations that are over."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.project_files import ROOT

INVOCATIONS = 100_000
PROGRAM = f"""
import ctypes, json, os, resource, subprocess, sys
os.environ["_X_AMZN_TRACE_ID"] = "of the init"
import service.handler
from awslambdaric.bootstrap import update_xray_env_variable

def peak():
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

bytearray(8 << 20)  # the peak of the imports must not hide what comes
before = peak()
for number in range({INVOCATIONS}):
    update_xray_env_variable(f"Root=1-{{number:08x}}-{{number:024x}};Sampled=0")
grown = peak() - before
seen = os.environ["_X_AMZN_TRACE_ID"]
libc = ctypes.CDLL(None)
libc.getenv.restype = ctypes.c_char_p
in_c = libc.getenv(b"_X_AMZN_TRACE_ID")
os.environ["ANOTHER"] = "set"
another = libc.getenv(b"ANOTHER").decode()
update_xray_env_variable(None)
gone = "_X_AMZN_TRACE_ID" not in os.environ
print(json.dumps([grown, seen, in_c and in_c.decode(), another, gone]))
"""


@pytest.mark.parametrize("project", [ROOT, ROOT / "scripts/own_service"])
def test_trace_ids_of_invocations_take_no_memory_and_are_in_os_environ(project: Path) -> None:
    finished = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=project, capture_output=True, timeout=60, check=False
    )
    assert finished.returncode == 0, finished.stderr.decode()
    grown, seen, in_c, another, gone = json.loads(finished.stdout)
    assert seen == f"Root=1-{INVOCATIONS - 1:08x}-{INVOCATIONS - 1:024x};Sampled=0"
    assert in_c != seen, "the C environment would keep each of them"
    assert (another, gone) == ("set", True)
    assert grown < 2 * 1024 * 1024, "in total; 11 MB when the C environment keeps them"
