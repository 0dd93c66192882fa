"""Registers the provider of this package: the Terraform bridge with a parameter.

`pulumi-plugin.json` describes both.
"""

import json
from pathlib import Path

from pulumi.runtime.settings import register_package


async def package() -> str:
    """Register the package with the engine, and return its reference.

    The Pulumi SDK caches the reference for each deployment.
    """
    plugin = json.loads(Path(__file__).with_name("pulumi-plugin.json").read_text())
    neon = plugin["parameterization"]
    return await register_package(
        plugin["name"], plugin["version"], "", neon["name"], neon["version"], neon["value"]
    )
