"""Snapshots of programs as `stack report` compares them, written by hand."""

from typing import Any


def snapshot(*resources: dict[str, Any]) -> dict[str, Any]:
    """Return a snapshot with these resources."""
    return {
        "stack": "prod",
        "resources": list(resources),
        "outputs": [],
        "refusals": [],
        "error": "",
    }


def resource(
    name: str,
    type_: str = "t",
    /,
    *,
    protect: bool = False,
    data_loss: str = "",
    replaces: tuple[str, ...] = (),
    **inputs: Any,
) -> dict[str, Any]:
    """Return a resource of a snapshot; named arguments are inputs."""
    return {
        "name": name,
        "type": type_,
        "inputs": inputs,
        "protect": protect,
        "data_loss": data_loss,
        "replaces": list(replaces),
    }
