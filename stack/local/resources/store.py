"""The record of what exists in the local cloud, independent of the state of any stack.

It is one JSON file, mode 0600, which is written whole after each change.
"""

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common.errors import UserError
from stack.local.resources import values
from stack.local.system.files import write_private

Record = Mapping[str, Any]


def stack_of(urn: str) -> str:
    """Return the stack's name in a URN."""
    return urn.split("::")[0].rpartition(":")[2]


class Store:
    """Records by kind ("functions", "apis", …) and id. Safe from any thread.

    `owner` of a record is the URN of its resource. Raises `UserError` for a damaged file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._kinds: dict[str, dict[str, Record]] = {}
        if path.exists():
            try:
                kinds = json.loads(path.read_text())
                self._kinds = {
                    kind: {identity: dict(record) for identity, record in found.items()}
                    for kind, found in kinds.items()
                }
                self._kinds = values.from_json(self._kinds)
            except (ValueError, TypeError, AttributeError) as error:
                raise UserError(
                    f"{path} is damaged ({error}): "
                    "`stack reset` deletes the local data, and `stack up` creates it again"
                ) from None

    def get(self, kind: str, identity: str) -> Record | None:
        with self._lock:
            return self._kinds.get(kind, {}).get(identity)

    def find(self, kind: str, **fields: Any) -> dict[str, Record]:
        """Return the records of a kind whose fields have these values, by id, the oldest first."""
        with self._lock:
            found = self._kinds.get(kind, {})
            return {
                identity: record
                for identity, record in found.items()
                if all(record.get(key) == value for key, value in fields.items())
            }

    def stacks(self) -> set[str]:
        """Return the stacks that own a record."""
        with self._lock:
            return {
                stack_of(record["owner"])
                for records in self._kinds.values()
                for record in records.values()
            }

    def put(self, kind: str, identity: str, record: Record) -> None:
        with self._lock:
            self._kinds.setdefault(kind, {})[identity] = record
            self._save()

    def remove(self, kind: str, identity: str) -> None:
        with self._lock:
            self._kinds.get(kind, {}).pop(identity, None)
            self._save()

    def _save(self) -> None:
        write_private(self._path, json.dumps(values.to_json(self._kinds), indent=1))
