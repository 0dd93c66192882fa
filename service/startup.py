"""What makes the imports of a cold start quick. `python -m benchmarks.init` measures what it is worth."""

import gc
import sys
import warnings
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def quick_imports() -> Generator[None]:
    """For the block that imports the framework and builds the application.

    No garbage is collected meanwhile, and what has come up is never looked through again. Models of pydantic are built at first use. Its
    version 1 is not there, which the framework otherwise loads to ask whether a model is one of its.
    """
    gc.disable()
    v1 = sys.modules.get("pydantic.v1")
    sys.modules["pydantic.v1"] = None  # pyright: ignore[reportArgumentType]  # the documented mark of what cannot be imported
    import pydantic
    from pydantic.warnings import UnsupportedFieldAttributeWarning

    # An alias of a parameter is the framework's own, and has no use in a model that is built late.
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
