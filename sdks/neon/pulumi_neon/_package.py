"""Which provider stands behind this package: the parameterised Terraform bridge, described in `pulumi-plugin.json`."""

import json
from pathlib import Path

from pulumi.runtime.settings import register_package


async def package() -> str:
    """Register the package with the engine of the running deployment and return its reference (the SDK caches it per deployment)."""
    plugin = json.loads(Path(__file__).with_name("pulumi-plugin.json").read_text())
    neon = plugin["parameterization"]
    return await register_package(
        plugin["name"], plugin["version"], "", neon["name"], neon["version"], neon["value"]
    )
