"""The one explicit provider. Neon and Vercel take their tokens from the environment, as default providers."""

import pulumi_aws as aws

from config.stack_config import StackConfig


def aws_provider(config: StackConfig) -> aws.Provider:
    """AWS in the configured region, with default tags on all that it makes, kept to the allowed accounts."""
    return aws.Provider(
        "aws",
        region=config.aws_region,
        default_tags={
            "tags": {"project": config.project, "stack": config.stack, "managed-by": "pulumi"}
        },
        allowed_account_ids=list(config.allowed_account_ids) or None,
    )
