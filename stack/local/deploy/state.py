"""What `stack up` has made: one file a stack, written whole after each change, mode 0600, secrets in the clear."""

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
    """One resource: inputs and outputs are plain; `secrets` names the outputs that are secret."""

    urn: str
    type: str
    id: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    secrets: list[str] = field(default_factory=list[str])
    protect: bool = False


class StackState:
    """The resources of one stack, in the order in which they were made."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._resources: dict[str, ResourceState] = {}
        self._discarded: list[ResourceState] = []
        if path.exists():
            self._load()

    def _load(self) -> None:
        try:
            document = json.loads(self._path.read_text())
            self._resources = {
                item["urn"]: ResourceState(**values.from_json(item))
                for item in document["resources"]
            }
            self._discarded = [
                ResourceState(**values.from_json(item)) for item in document["discarded"]
            ]
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{self._path} is damaged ({error}): `stack reset` starts anew and deletes the local data"
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

    def discard(self, resource: ResourceState) -> None:
        """It is being replaced: to be deleted once its successor stands. Once only, however often that fails."""
        with self._lock:
            self._discarded = [
                item
                for item in self._discarded
                if (item.urn, item.id) != (resource.urn, resource.id)
            ] + [resource]
            self._save()

    def discarded(self) -> list[ResourceState]:
        return list(self._discarded)

    def forget(self, resource: ResourceState) -> None:
        """A discarded resource has been deleted."""
        with self._lock:
            self._discarded.remove(resource)
            self._save()

    def _save(self) -> None:
        resources, discarded = self._resources.values(), self._discarded
        document = {
            "resources": [_plain(item) for item in resources],
            "discarded": [_plain(item) for item in discarded],
        }
        write_private(self._path, json.dumps(document, indent=1) + "\n")


def _plain(resource: ResourceState) -> Any:
    return values.to_json({item.name: getattr(resource, item.name) for item in fields(resource)})
