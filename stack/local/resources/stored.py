"""The base of most handlers: a resource is a record in the store, which the data plane reads."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, ClassVar

from common.errors import UserError
from stack.local.resources.base import Context, ResourceHandler, all_known


def digest(*parts: str, length: int = 10) -> str:
    """Return a hexadecimal id that is the same for the same parts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:length]


class Stored(ResourceHandler):
    """Keeps a resource as a record of its inputs, its computed outputs and its owner.

    kind: of the store's records. `create` raises `UserError` when a record of another resource has
    the same id.
    """

    kind: ClassVar[str]

    def identify(self, context: Context, inputs: Mapping[str, Any]) -> str:
        """Return the id.

        It depends on the resource and on the inputs in `replaces`, so that a replacement gets
        another id than the resource that it replaces.
        """
        return digest(
            context.urn,
            json.dumps({name: inputs.get(name) for name in self.replaces}, sort_keys=True),
        )

    def describe(
        self, context: Context, identity: str, inputs: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Return the computed outputs, and other fields that the data plane reads."""
        return {}

    def applied(self, context: Context, identity: str) -> None:
        """Put a record that has been written or removed into effect in the data plane."""

    def must_delete_before_create(
        self, context: Context, identity: str, inputs: Mapping[str, Any]
    ) -> bool:
        return all_known(inputs, *inputs) and self.identify(context, inputs) == identity

    def create(self, context: Context, inputs: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
        identity = self.identify(context, inputs)
        present = context.cloud.store.get(self.kind, identity)
        if present is not None and present["owner"] != context.urn:
            raise UserError(
                f"{identity!r} exists already, created by {present['owner'].split('::')[-1]!r}"
            )
        return identity, self._write(context, identity, inputs)

    def update(
        self, context: Context, identity: str, old: Mapping[str, Any], inputs: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        return self._write(context, identity, inputs)

    def _write(
        self, context: Context, identity: str, inputs: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        described = self.describe(context, identity, inputs)
        context.cloud.store.put(self.kind, identity, {**inputs, **described, "owner": context.urn})
        self.applied(context, identity)
        return self._outputs(described)

    def _outputs(self, described: Mapping[str, Any]) -> Mapping[str, Any]:
        return {key: value for key, value in described.items() if key in self.computed}

    def read(
        self, context: Context, identity: str, inputs: Mapping[str, Any], outputs: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        record = context.cloud.store.get(self.kind, identity)
        if record is None:
            return None
        names = self.supported | self.computed
        return {name: value for name, value in record.items() if name in names}

    def delete(self, context: Context, identity: str, inputs: Mapping[str, Any]) -> None:
        context.cloud.store.remove(self.kind, identity)
        self.applied(context, identity)
