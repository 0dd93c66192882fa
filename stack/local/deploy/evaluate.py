"""Evaluates the program in this process, twice: first the preview, then the update.

The preview plans each step and refuses what cannot be done; only then does the update change
anything.
"""

import os
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from common.errors import UserError
from stack.local.deploy.passes import Pass, Preview, Update
from stack.local.deploy.state import StackState
from stack.local.resources import sdk
from stack.local.resources.base import Context, Function, ResourceHandler
from stack.local.system.events import Progress

P = TypeVar("P", bound=Pass)


def refuse_data_loss(losses: Sequence[str]) -> None:
    """Raise `UserError` with what data an update would delete."""
    lost = "\n".join(f"  {loss}" for loss in losses)
    raise UserError(
        f"the update would delete local data:\n{lost}\nUndo the change, or run "
        "`stack up --allow-data-loss` (`make up ARGS=--allow-data-loss`)"
    )


@dataclass(kw_only=True)
class Evaluation:
    """One update of a local stack.

    Raises `UserError` when the preview refuses; nothing has been changed then. When the update
    fails, the resources that it has provisioned stay, and the next run continues from there.

    context: returns a handler's context for a URN ("" where there is none).
    report: receives the progress of each resource.
    cancelled: when it is set, the evaluation ends at the next request of the program.
    confirm: called before the update with what data it would delete; raises `UserError` to refuse.
    """

    program: sdk.Program
    state: StackState
    handlers: Mapping[str, ResourceHandler]
    context: Callable[[str], Context]
    functions: Mapping[str, Function] = field(default_factory=dict[str, Function])
    report: Callable[[Progress], None] = lambda _progress: None
    cancelled: threading.Event = field(default_factory=threading.Event)
    confirm: Callable[[Sequence[str]], None] = refuse_data_loss

    def run(self) -> Mapping[str, Any]:
        """Preview, then update; return the stack's outputs, secret ones as `values.Secret`."""
        if losses := self.preview().losses:
            self.confirm(losses)
        update = self._evaluate(Update, preview=False)
        update.delete_obsolete_resources()
        return update.outputs

    def preview(self) -> Preview:
        """Run the first pass alone and return its plan."""
        preview = self._evaluate(Preview, preview=True)
        preview.check_deletions()
        return preview

    def _evaluate(self, kind: type[P], *, preview: bool) -> P:
        host = kind(
            program=self.program,
            state=self.state,
            handlers=self.handlers,
            functions=self.functions,
            context=self.context,
            report=self.report,
            cancelled=self.cancelled,
        )
        with _working_directory(self.program.path.parent):
            sdk.run_program(self.program, host, preview=preview)
        return host


@contextmanager
def _working_directory(directory: Path) -> Generator[None]:
    """Change to a program's directory, as the CLI does.

    The directory is the process's, so only one evaluation may run at a time.
    """
    before = Path.cwd()
    os.chdir(directory)
    try:
        yield
    finally:
        os.chdir(before)
