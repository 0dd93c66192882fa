"""Prepares the process: shortens the imports of a cold start, and bounds its environment.

`python -m benchmarks.init` measures the init time.
"""

import gc
import os
import sys
import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any


@contextmanager
def quick_imports() -> Generator[None]:
    """Speed up the block, which imports the framework and creates the application.

    Garbage is not collected in the block, and later collections ignore its objects. Pydantic's
    models are built at their first use. `pydantic.v1` cannot be imported in the block: FastAPI
    would load it only to check whether a model is one of version 1.
    """
    gc.disable()
    v1 = sys.modules.get("pydantic.v1")
    # None in sys.modules makes the import fail (Python reference, 5.3.1).
    sys.modules["pydantic.v1"] = None  # pyright: ignore[reportArgumentType]
    import pydantic
    from pydantic.warnings import UnsupportedFieldAttributeWarning

    # Pydantic warns that the alias of a FastAPI parameter has no effect in a deferred model.
    warnings.filterwarnings(
        "ignore", category=UnsupportedFieldAttributeWarning, message="The 'alias' attribute"
    )
    pydantic.BaseModel.model_config["defer_build"] = True
    try:
        yield
    finally:
        del sys.modules["pydantic.v1"]
        if v1 is not None:
            sys.modules["pydantic.v1"] = v1
        gc.freeze()
        gc.enable()


def keep_out_of_c_environment(name: str) -> None:
    """Let `os.environ[name]` be set without setting it in the C environment.

    The runtime client sets `_X_AMZN_TRACE_ID` for each invocation. C's `setenv` never frees the old
    strings (glibc's and musl's), and the heap fragments around them. Python code reads the value
    from `os.environ` as before; C code and child processes that inherit the environment do not.
    """
    key = os.fsencode(name)
    put: Callable[[Any, Any], None] = os.putenv

    def putenv(name: Any, value: Any, /) -> None:
        if name != key:
            put(name, value)

    os.unsetenv(name)
    os.putenv = putenv  # `os.environ` looks it up in its module for each assignment
