"""Between the provider's protocol and Python."""

from collections.abc import Container, Iterable, Mapping
from typing import Any

from stack.local.resources import sdk, values
from stack.local.resources.base import ResourceHandler

protocol = sdk.provider_pb2


def type_of(urn: str) -> str:
    """The resource's own type, without those of the components above it."""
    return urn.split("::")[2].rpartition("$")[2]


def name_of(urn: str) -> str:
    return urn.rpartition("::")[2]


def plain(struct: Any) -> dict[str, Any]:
    """A message's properties without secret wrappers; what is null is left out, as in process."""
    return values.reveal(
        {name: value for name, value in values.decode(struct).items() if value is not None}
    )


def outputs(handler: ResourceHandler, found: Mapping[str, Any]) -> Any:
    """A resource's outputs, those marked as secret that the real provider marks: the engine shows the others in the clear."""
    return marked(found, handler.secrets)


def marked(found: Mapping[str, Any], secret: Container[str]) -> Any:
    return values.encode(values.mark(found, secret))


def difference(changed: frozenset[str], replaces: frozenset[str], *, delete_first: bool) -> Any:
    """What an update would change. `delete_first` counts for a replacement that the user asks for, too."""
    return protocol.DiffResponse(
        changes=protocol.DiffResponse.DIFF_SOME if changed else protocol.DiffResponse.DIFF_NONE,
        diffs=sorted(changed),
        replaces=sorted(replaces),
        deleteBeforeReplace=delete_first,
    )


def failures(found: Iterable[tuple[str, str]]) -> list[Any]:
    """By property ("" for several at once) and reason."""
    return [protocol.CheckFailure(property=name, reason=reason) for name, reason in found]
