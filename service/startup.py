"""Shortens the imports of a cold start. `python -m benchmarks.init` measures the init time."""

import gc
import sys
import warnings
from collections.abc import Generator
from contextlib import contextmanager


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
