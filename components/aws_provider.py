"""The provider for AWS, the only explicit one.

Neon and Vercel have default providers, which take their tokens from the environment.
"""

import pulumi_aws as aws

from config.stack_config import StackConfig


def aws_provider(config: StackConfig) -> aws.Provider:
    """Create the provider: one region, default tags on all resources, only the allowed accounts."""
    return aws.Provider(
        "aws",
        region=config.aws_region,
        default_tags={
            "tags": {"project": config.project, "stack": config.stack, "managed-by": "pulumi"}
        },
        allowed_account_ids=list(config.allowed_account_ids) or None,
    )
