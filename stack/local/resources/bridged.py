"""The base of handlers for resources that Pulumi reaches through its Terraform bridge.

The bridge drops an input that the provider's schema does not have, without an error.
"""

from collections.abc import Mapping
from typing import Any

from stack.local.resources import schemas
from stack.local.resources.base import ResourceHandler


class Bridged(ResourceHandler):
    """Checks inputs against the provider's schema, not against the SDK class.

    The SDK class (`sdks/`) is written by hand and may differ from the provider.
    """

    @property
    def inputs(self) -> Mapping[str, Any]:
        return schemas.inputs(self.type)

    def type_mismatch(self, name: str, value: Any) -> str | None:
        return schemas.type_mismatch(value, self.inputs[name], name)
