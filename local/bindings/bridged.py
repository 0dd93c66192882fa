"""Resources behind the Terraform bridge, which drops a name that it does not know without a word."""

from collections.abc import Mapping
from typing import Any

from local.bindings import schemas
from local.realise import Realiser


class Bridged(Realiser):
    """Its inputs are what the provider's schema says: the binding, which is written by hand, may be wrong."""

    @property
    def inputs(self) -> Mapping[str, Any]:
        return schemas.inputs(self.type)

    def misfit(self, name: str, value: Any) -> str | None:
        return schemas.misfit(value, self.inputs[name], name)
