"""Gathers what a change means from both sides; a part that cannot be found out says why, and the others go on."""

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
from stack.report import bundles, children, database, openapi, revisions
from stack.report.compare import Snapshot
from stack.report.markdown import Missing
from stack.report.revisions import Side

STACK = "prod"  # whose configuration is evaluated: what a change means is what it means there
HERE = Path(__file__).resolve().parents[2]
DOCUMENT = """
import json
from service.app import create_app
from service.settings import Settings
print(json.dumps(create_app(Settings(version="1")).openapi()))
"""
"""Prints a side's OpenAPI document: of the service, this much stays the same from commit to commit."""
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Found:
    """What the report is written from."""

    base: Side
    head: Side
    notes: Sequence[str]
    before: Snapshot
    after: Snapshot
    uploads: tuple[bundles.Bundle, bundles.Bundle] | Missing
    init: Sequence[Sequence[float]] | Missing
    api: Sequence[openapi.Change] | Missing
    schemas: database.Schemas | Missing


def find(root: Path, revision: str, progress: Callable[[str], None]) -> Found:
    """Raises `UserError` (`UnknownRevisionError`) only where there is nothing to compare."""
    with tempfile.TemporaryDirectory(prefix="stack-report-") as directory:
        place = Path(directory)
        place.chmod(0o711)  # the database's user has to pass through
        progress(f"reading {revision}")
        (place / "base").mkdir(mode=0o700)
        base, head = revisions.base(root, revision, place / "base"), revisions.head(root)
        bytecode, notes = _bytecode((base, head))
        progress("evaluating the head's program, with its bundle")
        after = _snapshot(head, bytecode=bytecode)
        here = [_attempt(lambda: bundles.build_here(head))]
        bundles.share(head, base)
        progress("evaluating the base's")
        before = _snapshot(base, bytecode=bytecode)
        here.append(_attempt(lambda: bundles.build_here(base)))
        progress("timing the function's import")
        (place / "init").mkdir(mode=0o700)
        failed = next((it for it in here if isinstance(it, Missing)), None)
        init = failed or _attempt(lambda: bundles.init_seconds((base, head), place / "init"))
        progress("reading both OpenAPI documents")
        api = _attempt(lambda: openapi.compare(*_both(_document, base, head)))
        progress("migrating databases")
        schemas = _attempt(lambda: _schemas(place, base, head))
        return Found(
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


def _both(of: Callable[[Side], T], base: Side, head: Side) -> tuple[T, T]:
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(of, (base, head))
    return first, second


def _attempt(what: Callable[[], T]) -> T | Missing:
    try:
        return what()
    except (UserError, OSError, ValueError, KeyError) as error:
        return Missing(reason=str(error) or type(error).__name__)


def _bytecode(sides: Sequence[Side]) -> tuple[bool, list[str]]:
    """Whether both bundles can be compiled here, or neither is, so that their sizes can be compared."""
    try:
        for side in sides:
            settings = stack_config.load(
                side.root, STACK, config_overrides={}, read_local_file=False, encrypted_as=""
            )
            find_interpreter(settings.config[f"{settings.project}:python"])
    except (UserError, OSError, KeyError) as error:
        return False, [
            f"Both bundles are without bytecode, unlike what is deployed: {str(error).splitlines()[0]}"
        ]
    return True, []


def _snapshot(side: Side, *, bytecode: bool) -> Snapshot:
    flags = [] if bytecode else ["--no-bytecode"]
    try:
        return json.loads(
            children.run(["-m", "stack.report.snapshot", str(side.root), STACK, *flags], HERE)
        )
    except (UserError, ValueError) as error:
        return {"stack": STACK, "resources": [], "outputs": [], "refusals": [], "error": str(error)}


def _document(side: Side) -> Mapping[str, Any]:
    return json.loads(children.run(["-c", DOCUMENT], side.root))


def _schemas(place: Path, base: Side, head: Side) -> database.Schemas:
    with database.server(place) as server:
        return server.compare(base, head)
