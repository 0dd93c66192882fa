"""Evaluates the program as a preview of a deployed local stack. Starts and changes nothing."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, cast

from config.stack_config import LOCAL_CLOUD_VARIABLE
from stack.local.deploy import stack_config
from stack.local.deploy.evaluate import Evaluation
from stack.local.deploy.state import StackState
from stack.local.registry import HANDLERS
from stack.local.resources import sdk
from stack.local.resources.base import Context, ResourceHandler
from stack.local.system.paths import LocalPaths

if TYPE_CHECKING:
    from stack.local.cloud import Cloud


class _StateHandler:
    """A handler that does not read resources: it returns the outputs of the stack's state."""

    def __init__(self, handler: ResourceHandler) -> None:
        self._handler = handler

    def __getattr__(self, name: str) -> object:
        return getattr(self._handler, name)

    def read(self, _context: object, _identity: object, _inputs: object, outputs: object) -> object:
        return outputs


def evaluate(root: Path) -> dict[str, str]:
    """Return the step that an update would do for each resource, by URN."""
    os.environ[LOCAL_CLOUD_VARIABLE] = "benchmark"
    settings = stack_config.load(root, "local", config_overrides={"siteDomain": "localhost:20001"})
    program = sdk.Program(
        path=root / "__main__.py",
        project=settings.project,
        stack="local",
        config=settings.config,
        secret_keys=settings.secret_keys,
    )
    nothing = cast("Cloud", None)  # a preview calls no handler that uses it
    evaluation = Evaluation(
        program=program,
        state=StackState(LocalPaths(root).state("local")),
        handlers={
            name: cast("ResourceHandler", _StateHandler(handler))
            for name, handler in HANDLERS.items()
        },
        context=lambda urn: Context(
            cloud=nothing, urn=urn, stack="local", region=settings.region, root=root
        ),
    )
    return {urn: str(step) for urn, step in evaluation.preview().steps.items()}
