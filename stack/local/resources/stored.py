"""The base of most handlers: a record in the local cloud's store, which the data plane reads."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, ClassVar

from common.errors import UserError
from stack.local.resources.base import Context, ResourceHandler, all_known


def digest(*parts: str, length: int = 10) -> str:
    """An identity that is the same for the same parts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:length]


class Stored(ResourceHandler):
    """A resource that is a record of its inputs, its computed outputs and its owner.

    kind: of the store's records. A record that another resource made under the same identity is not taken over.
    """

    kind: ClassVar[str]

    def identify(self, context: Context, inputs: Mapping[str, Any]) -> str:
        """The id; the same inputs of the same resource give the same one, others that replace it another."""
        return digest(
            context.urn,
            json.dumps({name: inputs.get(name) for name in self.replaces}, sort_keys=True),
        )

    def describe(
        self, context: Context, identity: str, inputs: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """The computed outputs, and what else the data plane is to find in the record."""
        return {}

    def applied(self, context: Context, identity: str) -> None:
        """The record has been written or removed: put it into effect."""

    def must_delete_before_create(
        self, context: Context, identity: str, inputs: Mapping[str, Any]
    ) -> bool:
        return all_known(inputs, *inputs) and self.identify(context, inputs) == identity

    def create(self, context: Context, inputs: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
        identity = self.identify(context, inputs)
        present = context.cloud.store.get(self.kind, identity)
        if present is not None and present["owner"] != context.urn:
            raise UserError(
                f"{identity!r} exists already, made by {present['owner'].split('::')[-1]!r}"
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
        return (
            None
            if record is None
            else {
                name: value
                for name, value in record.items()
                if name in self.supported | self.computed
            }
        )

    def delete(self, context: Context, identity: str, inputs: Mapping[str, Any]) -> None:
        context.cloud.store.remove(self.kind, identity)
        self.applied(context, identity)
