"""A published version of a function, and its process: runtime client, command, environment.

The process imports from its task root, its layers and the runtime client only, and not from this
project's virtual environment: what the bundle lacks is missing here as it would be on Lambda.
"""

import compileall
import importlib.util
import os
import py_compile
import shutil
import sys
import tempfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from common.errors import UserError

PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
_SHIM = Path(__file__).parent / "runtime_client_shim" / "runtime_client.py"
_IGNORED = shutil.ignore_patterns("tests", "__pycache__")

# -S keeps site-packages out and with them `exit`, which handlers have on Lambda; so it is set here.
# The native client reads the address when it is imported and puts it before its paths. A failed
# init is reported by another client, which takes host and port only: the token goes into its paths.
# Afterwards the variable has Lambda's form, without the token, also for the handler's children.
_BOOTSTRAP = """
import os, site, sys
site.setquit(); site.sethelper()
from awslambdaric.__main__ import main, LambdaRuntimeClient
address, _, token = os.environ["AWS_LAMBDA_RUNTIME_API"].partition("/")
os.environ["AWS_LAMBDA_RUNTIME_API"] = address
call_rapid = LambdaRuntimeClient.call_rapid
LambdaRuntimeClient.call_rapid = lambda self, method, path, *rest: call_rapid(
    self, method, f"/{token}{path}", *rest
)
main(sys.argv)
"""


@dataclass(frozen=True, kw_only=True)
class FunctionVersion:
    """One published version of a function, with all that an invocation needs.

    task_root: the unpacked code. layers: unpacked layers, which hold `python/`.
    handler: `package.module.function`.
    reserved_concurrency: None means unreserved, 0 that every invocation is throttled, as on AWS. It
    belongs to the function: versions that differ in nothing else are equal.
    """

    function_name: str
    version: str
    arn: str
    handler: str
    task_root: Path
    layers: tuple[Path, ...] = ()
    environment: Mapping[str, str]
    memory_mb: int
    timeout_s: float
    log_group: str
    reserved_concurrency: int | None = field(default=None, compare=False)


def install_runtime_client(home: Path, *, native: bool | None = None) -> Path:
    """Return a directory with AWS's runtime client and what it imports, compiled to bytecode.

    It is created below `home` once per version. With `native` False, and where awslambdaric has no
    native part (it is built for Linux only), it has this project's `runtime_client` instead.
    """
    try:
        name = f"awslambdaric-{version('awslambdaric')}-{sys.implementation.cache_tag}"
    except PackageNotFoundError:
        raise UserError(
            "awslambdaric is not installed: install the project's requirements into this Python"
        ) from None
    extension = importlib.util.find_spec("runtime_client") if native is not False else None
    client = Path(extension.origin) if extension and extension.origin else _SHIM
    directory = home / (
        name if client != _SHIM else f"{name}-shim-{zlib.crc32(_SHIM.read_bytes()):08x}"
    )
    if directory.exists():
        return directory
    home.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f"{directory.name}-", dir=home))
    try:
        for package in ("awslambdaric", "simplejson", "snapshot_restore_py"):
            _copy(package, building)
        shutil.copy(client, building)
        compileall.compile_dir(
            building, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
        )
        building.chmod(0o755)
        building.rename(directory)
    except OSError:
        if not directory.exists():  # otherwise another process has created it
            raise
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return directory


def _copy(module: str, target: Path) -> None:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise UserError(
            f"{module}, which AWS's runtime client imports, is not installed: "
            "install the project's requirements"
        )
    origin = Path(spec.origin)
    if spec.submodule_search_locations:
        shutil.copytree(origin.parent, target / module, ignore=_IGNORED)
    else:
        shutil.copy(origin, target)


def command(function: FunctionVersion) -> list[str]:
    """Return the command line of the process; -B because the code is read-only on Lambda."""
    return [sys.executable, "-B", "-S", "-P", "-c", _BOOTSTRAP, function.handler]


def environment_variables(
    function: FunctionVersion,
    *,
    runtime_api: str,
    runtime_client: Path,
    log_stream: str,
    telemetry_fd: int,
) -> dict[str, str]:
    """Return all variables of the process; those that Lambda reserves override the function's own.

    There are no credentials among them: locally a role is checked but not enforced, and the
    developer's own keys must not reach the function.
    """
    defaults = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "en_US.UTF-8", "TZ": ":UTC"}
    if "LD_LIBRARY_PATH" in os.environ:  # some builds of Python do not start without it
        defaults["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
    path = [function.task_root, *(layer / "python" for layer in function.layers), runtime_client]
    region = function.arn.split(":")[3]
    reserved = {
        "_HANDLER": function.handler,
        "_LAMBDA_TELEMETRY_LOG_FD": str(telemetry_fd),
        "AWS_DEFAULT_REGION": region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{PYTHON}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
        "AWS_LAMBDA_FUNCTION_VERSION": function.version,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "AWS_LAMBDA_RUNTIME_API": runtime_api,
        "AWS_REGION": region,
        "LAMBDA_RUNTIME_DIR": str(runtime_client),
        "LAMBDA_TASK_ROOT": str(function.task_root),
        "PYTHONPATH": os.pathsep.join(map(str, path)),
    }
    return defaults | dict(function.environment) | reserved
