"""Imports of large packages."""

import gc
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def without_garbage_collection() -> Generator[None]:
    """Import packages without garbage collection, and exclude their objects from later collections.

    The providers' SDKs create some 100,000 objects, all of which live until the process ends. While
    they are imported, the collector would traverse them repeatedly and free nothing.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
