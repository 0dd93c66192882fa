"""The tables: resource type → realiser, function → what answers it. Only this package knows the providers' type tokens and names."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import pulumi_aws as aws
import pulumiverse_vercel as vercel_sdk

from local import sdk
from local.bindings import apigatewayv2, cloudwatch, iam, lambda_, neon, neon_branch, vercel
from local.realise import Function, Realiser

REALISERS: Mapping[str, Realiser] = {
    realiser.type: realiser
    for module in (neon, neon_branch, apigatewayv2, cloudwatch, iam, lambda_, vercel)
    for realiser in module.realisers()
}
FUNCTIONS: Mapping[str, Function] = {function.token: function for module in (neon, neon_branch) for function in module.functions()}

PROVIDERS: Mapping[str, Mapping[str, Any]] = {
    "aws": sdk.input_types(aws.Provider),
    "vercel": sdk.input_types(vercel_sdk.Provider),
}
"""The inputs of the providers themselves, by package: what a stack's configuration may say of them."""

VERSION = max(
    (version(package) for package in ("pulumi-aws", "pulumiverse-vercel")), key=lambda text: [int(part) for part in text.split(".")]
)
"""Of the provider that stands in for all of them: the engine warns of one that is older than the SDK that asks for it."""
