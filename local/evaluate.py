"""Evaluates the program in process, twice: first as a preview that plans and refuses, then for real."""

import os
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local import sdk
from local.passes import Apply, Pass, Plan, Progress
from local.realise import Context, Function, Realiser
from local.state import StackState


@dataclass(kw_only=True)
class Evaluation:
    """One `up` of a program on this machine. `run` returns the stack's outputs, secrets as `values.Secret`.

    Raises `UserError` with nothing touched when the first pass refuses; when the second one fails, what it has made
    stays, and the next run goes on from there.
    """

    program: sdk.Program
    state: StackState
    realisers: Mapping[str, Realiser]
    context: Callable[[str], Context]
    functions: Mapping[str, Function] = field(default_factory=dict[str, Function])
    report: Callable[[Progress], None] = lambda _progress: None
    cancelled: threading.Event = field(default_factory=threading.Event)

    def run(self) -> Mapping[str, Any]:
        self.plan()
        apply = Apply(self)
        self._pass(apply, preview=False)
        apply.clean()
        return apply.outputs

    def plan(self) -> Plan:
        """The first pass alone."""
        plan = Plan(self)
        self._pass(plan, preview=True)
        plan.finish_plan()
        return plan

    def _pass(self, host: Pass, *, preview: bool) -> None:
        with _inside(self.program.path.parent):
            sdk.run_program(self.program, host, preview=preview)


@contextmanager
def _inside(directory: Path) -> Generator[None]:
    """Programs are evaluated in their own directory, as under the CLI. Only one evaluation runs in a process."""
    before = Path.cwd()
    os.chdir(directory)
    try:
        yield
    finally:
        os.chdir(before)
