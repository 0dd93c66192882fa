"""The tables of resource handlers and provider functions, by token."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from common.imports import without_garbage_collection

with without_garbage_collection():
    import pulumi_aws as aws
    import pulumiverse_vercel as vercel_sdk

    from stack.local.apigateway import resources as apigateway
    from stack.local.cloudwatch import resources as cloudwatch
    from stack.local.iam import resources as iam
    from stack.local.lambda_ import resources as lambda_
    from stack.local.neon import branches, projects
    from stack.local.resources import sdk
    from stack.local.resources.base import Function, ResourceHandler
    from stack.local.scheduler import resources as scheduler
    from stack.local.vercel import resources as vercel

HANDLERS: Mapping[str, ResourceHandler] = {
    handler.type: handler
    for module in (projects, branches, apigateway, cloudwatch, iam, lambda_, scheduler, vercel)
    for handler in module.HANDLERS
}
FUNCTIONS: Mapping[str, Function] = {
    function.token: function for module in (projects, branches) for function in module.FUNCTIONS
}

PROVIDERS: Mapping[str, Mapping[str, Any]] = {
    "aws": sdk.input_types(aws.Provider),
    "vercel": sdk.input_types(vercel_sdk.Provider),
}
"""The inputs of the provider resources themselves (`aws:region`, …), by package."""

VERSION = max(
    (version(package) for package in ("pulumi-aws", "pulumiverse-vercel")),
    key=lambda text: [int(part) for part in text.split(".")],
)
"""The version that the gRPC provider reports for every package.

The engine warns about a provider that is older than the SDK, so it is the newest SDK's version.
"""
