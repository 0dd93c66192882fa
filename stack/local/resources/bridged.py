"""Resources behind the Terraform bridge, which drops a name that it does not know without a word."""

from collections.abc import Mapping
from typing import Any

from stack.local.resources import schemas
from stack.local.resources.base import ResourceHandler


class Bridged(ResourceHandler):
    """Its inputs are what the provider's schema says: the binding, which is written by hand, may be wrong."""

    @property
    def inputs(self) -> Mapping[str, Any]:
        return schemas.inputs(self.type)

    def type_mismatch(self, name: str, value: Any) -> str | None:
        return schemas.type_mismatch(value, self.inputs[name], name)
