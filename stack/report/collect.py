"""Collects what the report is written from: both programs, bundles, OpenAPI documents, schemas."""

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from bundle.interpreter import find_interpreter
from common.errors import UserError
from stack.local.deploy import stack_config
from stack.report import bundles, child_process, database, openapi, revisions
from stack.report.compare import Snapshot
from stack.report.markdown import Unavailable
from stack.report.revisions import Side

STACK = "prod"  # the stack whose configuration both programs are evaluated with
CHECKOUT = Path(__file__).resolve().parents[2]
# Prints a side's OpenAPI document. It uses only names of the service that every commit has.
OPENAPI_PROGRAM = """
import json
from service.app import create_app
from service.settings import Settings
print(json.dumps(create_app(Settings(version="1")).openapi()))
"""
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class ReportData:
    """The content of the report. A part that could not be determined is `Unavailable`."""

    base: Side
    head: Side
    notes: Sequence[str]
    before: Snapshot
    after: Snapshot
    uploads: tuple[bundles.Bundle, bundles.Bundle] | Unavailable
    init: Sequence[Sequence[float]] | Unavailable
    api: Sequence[openapi.Change] | Unavailable
    schemas: database.Schemas | Unavailable


def collect(root: Path, revision: str, progress: Callable[[str], None]) -> ReportData:
    """Compare the checkout at `root` with a revision.

    progress: is called with a phrase before each step. A step that fails makes its part
    `Unavailable`, and the others go on. Raises `UserError` only without anything to compare
    (`UnknownRevisionError` for an unknown revision).
    """
    with tempfile.TemporaryDirectory(prefix="stack-report-") as temporary:
        directory = Path(temporary)
        directory.chmod(0o711)  # PostgreSQL may run as another user, who must reach its data
        progress(f"reading {revision}")
        (directory / "base").mkdir(mode=0o700)
        base, head = revisions.base(root, revision, directory / "base"), revisions.head(root)
        bytecode, notes = _bytecode((base, head))
        # The head goes first, because the base can then reuse what has not changed since.
        progress("evaluating the head's program, with its bundle")
        after = _snapshot(head, bytecode=bytecode)
        host_bundles = [_attempt(lambda: bundles.build_host_bundle(head))]
        bundles.share(head, base)
        progress("evaluating the base's")
        before = _snapshot(base, bytecode=bytecode)
        host_bundles.append(_attempt(lambda: bundles.build_host_bundle(base)))
        progress("timing the function's import")
        (directory / "init").mkdir(mode=0o700)
        failed = next((it for it in host_bundles if isinstance(it, Unavailable)), None)
        init = failed or _attempt(lambda: bundles.init_seconds((base, head), directory / "init"))
        progress("reading both OpenAPI documents")
        api = _attempt(lambda: openapi.compare(*_both(_openapi_document, base, head)))
        progress("migrating databases")
        schemas = _attempt(lambda: _schemas(directory, base, head))
        return ReportData(
            base=base,
            head=head,
            notes=notes,
            before=before,
            after=after,
            uploads=_attempt(
                lambda: (bundles.uploaded(base, before), bundles.uploaded(head, after))
            ),
            init=init,
            api=api,
            schemas=schemas,
        )


def _both(read: Callable[[Side], T], base: Side, head: Side) -> tuple[T, T]:
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(read, (base, head))
    return first, second


def _attempt(step: Callable[[], T]) -> T | Unavailable:
    try:
        return step()
    except (UserError, OSError, ValueError, KeyError) as error:
        return Unavailable(reason=str(error) or type(error).__name__)


def _bytecode(sides: Sequence[Side]) -> tuple[bool, list[str]]:
    """Return whether both bundles can have bytecode, and a note if not.

    If only one could be compiled here, neither is, because their sizes are compared.
    """
    try:
        for side in sides:
            settings = stack_config.load(
                side.root, STACK, config_overrides={}, read_local_file=False, encrypted_as={}
            )
            find_interpreter(settings.config[f"{settings.project}:python"])
    except (UserError, OSError, KeyError) as error:
        reason = str(error).splitlines()[0]
        return False, [f"Both bundles are without bytecode, unlike what is deployed: {reason}"]
    return True, []


def _snapshot(side: Side, *, bytecode: bool) -> Snapshot:
    flags = [] if bytecode else ["--no-bytecode"]
    command = ["-m", "stack.report.snapshot", str(side.root), STACK, *flags]
    try:
        return json.loads(child_process.run(command, CHECKOUT))
    except (UserError, ValueError) as error:
        return {"stack": STACK, "resources": [], "outputs": [], "refusals": [], "error": str(error)}


def _openapi_document(side: Side) -> Mapping[str, Any]:
    return json.loads(child_process.run(["-c", OPENAPI_PROGRAM], side.root))


def _schemas(directory: Path, base: Side, head: Side) -> database.Schemas:
    with database.server(directory) as server:
        return server.compare(base, head)
