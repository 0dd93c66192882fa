"""The state of a stack that `stack up` has deployed.

It is one JSON file for each stack, mode 0600, with secrets in the clear. It is written whole after
each change.
"""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from common.errors import UserError
from stack.local.resources import values
from stack.local.system.files import write_private


@dataclass(frozen=True, kw_only=True)
class ResourceState:
    """One resource. Inputs and outputs are plain; `secrets` names the secret outputs."""

    urn: str
    type: str
    id: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    secrets: list[str] = field(default_factory=list[str])
    protect: bool = False


class StackState:
    """The resources of one stack, in the order of creation. Safe from any thread.

    Raises `UserError` for a damaged file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._resources: dict[str, ResourceState] = {}
        self._pending_deletions: list[ResourceState] = []
        if path.exists():
            self._load()

    def _load(self) -> None:
        try:
            document = json.loads(self._path.read_text())
            self._resources = {
                item["urn"]: ResourceState(**values.from_json(item))
                for item in document["resources"]
            }
            self._pending_deletions = [
                ResourceState(**values.from_json(item)) for item in document["discarded"]
            ]
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{self._path} is damaged ({error}): "
                "`stack reset` deletes the local data, and `stack up` creates it again"
            ) from None

    def get(self, urn: str) -> ResourceState | None:
        return self._resources.get(urn)

    def all(self) -> list[ResourceState]:
        return list(self._resources.values())

    def put(self, resource: ResourceState) -> None:
        with self._lock:
            self._resources[resource.urn] = resource
            self._save()

    def remove(self, urn: str) -> None:
        with self._lock:
            self._resources.pop(urn, None)
            self._save()

    def add_pending_deletion(self, resource: ResourceState) -> None:
        """Record a resource that is being replaced: it is deleted after its replacement exists.

        A resource is recorded once, however often its replacement fails.
        """
        with self._lock:
            self._pending_deletions = [
                item
                for item in self._pending_deletions
                if (item.urn, item.id) != (resource.urn, resource.id)
            ] + [resource]
            self._save()

    def pending_deletions(self) -> list[ResourceState]:
        return list(self._pending_deletions)

    def remove_pending_deletion(self, resource: ResourceState) -> None:
        """Remove the record of a resource that has been deleted or is in use again."""
        with self._lock:
            self._pending_deletions.remove(resource)
            self._save()

    def _save(self) -> None:
        document = {
            "resources": [_document(item) for item in self._resources.values()],
            "discarded": [_document(item) for item in self._pending_deletions],
        }
        write_private(self._path, json.dumps(document, indent=1) + "\n")


def _document(resource: ResourceState) -> Any:
    return values.to_json({item.name: getattr(resource, item.name) for item in fields(resource)})
