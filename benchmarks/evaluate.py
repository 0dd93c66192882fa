"""The program alone, evaluated as a preview against what a stack has made: nothing is started, nothing is touched."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, cast

from components.config import LOCAL_CLOUD_VARIABLE
from local import sdk, stack_config
from local.bindings import REALISERS
from local.evaluate import Evaluation
from local.home import Home
from local.realise import Context, Realiser
from local.state import StackState

if TYPE_CHECKING:
    from local.cloud import Cloud


class _Unread:
    """A realiser that takes the state's word for what exists."""

    def __init__(self, realiser: Realiser) -> None:
        self._realiser = realiser

    def __getattr__(self, name: str) -> object:
        return getattr(self._realiser, name)

    def read(self, _context: object, _identity: object, _inputs: object, outputs: object) -> object:
        return outputs


def evaluate(root: Path) -> dict[str, str]:
    """What is to be done with each resource, by URN."""
    os.environ[LOCAL_CLOUD_VARIABLE] = "benchmark"
    settings = stack_config.load(root, "local", supplied={"siteDomain": "localhost:20001"})
    program = sdk.Program(
        path=root / "__main__.py", project=settings.project, stack="local", config=settings.config, secret_keys=settings.secret_keys
    )
    nothing = cast("Cloud", None)  # no realiser is asked to do anything
    evaluation = Evaluation(
        program=program,
        state=StackState(Home(root).state("local")),
        realisers={name: cast("Realiser", _Unread(realiser)) for name, realiser in REALISERS.items()},
        context=lambda urn: Context(cloud=nothing, urn=urn, stack="local", region=settings.region, root=root),
    )
    return {urn: str(step) for urn, step in evaluation.plan().steps.items()}
