"""Converts between the messages of the provider protocol and Python values."""

from collections.abc import Container, Iterable, Mapping
from typing import Any

from stack.local.resources import sdk, values

protocol = sdk.provider_pb2


def resource_type(urn: str) -> str:
    """Return the resource's type token, without the types of its parent components."""
    return urn.split("::")[2].rpartition("$")[2]


def resource_name(urn: str) -> str:
    """Return the resource's logical name."""
    return urn.rpartition("::")[2]


def plain_properties(struct: Any) -> dict[str, Any]:
    """Decode properties, without secret wrappers and without nulls (as `stack up` does)."""
    return values.reveal(
        {name: value for name, value in values.decode(struct).items() if value is not None}
    )


def encode_with_secrets(properties: Mapping[str, Any], secret: Container[str]) -> Any:
    """Encode properties, those whose names are in `secret` as secrets.

    The engine shows, and stores in the clear, every output that is not marked.
    """
    return values.encode(values.mark_secrets(properties, secret))


def diff_response(changed: frozenset[str], replaces: frozenset[str], *, delete_first: bool) -> Any:
    """Return the response to `Diff` or `DiffConfig`.

    `delete_first` also applies when the user asks for a replacement (`pulumi up --replace`), so it
    may be set without a change.
    """
    return protocol.DiffResponse(
        changes=protocol.DiffResponse.DIFF_SOME if changed else protocol.DiffResponse.DIFF_NONE,
        diffs=sorted(changed),
        replaces=sorted(replaces),
        deleteBeforeReplace=delete_first,
    )


def check_failures(failures: Iterable[tuple[str, str]]) -> list[Any]:
    """Return the failures of `Check` by property ("" for several) and reason."""
    return [protocol.CheckFailure(property=name, reason=reason) for name, reason in failures]
