"""The provider for AWS, the only explicit one.

Neon and Vercel have default providers, which take their tokens from the environment.
"""

import inspect
import json
from collections.abc import Mapping
from typing import Any, cast, get_args

import pulumi
import pulumi_aws as aws

from config.reader import camel_case, did_you_mean
from config.stack_config import ConfigError, StackConfig


def aws_provider(config: StackConfig) -> aws.Provider:
    """Create the provider with the stack's `aws:` keys, which reach default providers only.

    The program adds its default tags, and the accounts of `allowedAccountIds`. Raises `ConfigError`
    for a key that the provider does not have, and for one that contradicts the program.
    """
    settings = _settings(config)
    settings["region"] = config.aws_region
    settings["default_tags"] = _default_tags(config, settings.get("default_tags"))
    if config.allowed_account_ids:
        if "allowed_account_ids" in settings:
            raise ConfigError("allowedAccountIds and aws:allowedAccountIds are both set: keep one")
        settings["allowed_account_ids"] = list(config.allowed_account_ids)
    if settings.get("skip_requesting_account_id") and "allowed_account_ids" in settings:
        raise ConfigError(
            "aws:skipRequestingAccountId is true, so the provider could not check the allowed "
            "accounts: remove it"
        )
    return aws.Provider("aws", **settings)


def _settings(config: StackConfig) -> dict[str, Any]:
    """Return the `aws:` keys as arguments of the provider."""
    _, *parameters = inspect.signature(aws.ProviderArgs.__init__).parameters.values()
    inputs = {camel_case(parameter.name): parameter for parameter in parameters}
    settings: dict[str, Any] = {}
    for key, value in config.aws_settings.items():
        if key not in inputs:
            hint = did_you_mean(key, inputs, namespace="aws:")
            raise ConfigError(f"the provider for AWS has no key aws:{key}: {hint}")
        name, type_ = inputs[key].name, get_args(inputs[key].annotation)[0]
        if type_ is str:  # an input of any other type is JSON in the configuration
            settings[name] = value
        elif isinstance(value, pulumi.Output):
            settings[name] = value.apply(lambda text, key=key: _parsed(key, text))
        else:
            settings[name] = _parsed(key, cast("str", value))
    return settings


def _parsed(key: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise ConfigError(
            f"aws:{key} is no JSON: true or false, a number, a list or an object is expected"
        ) from None


def _default_tags(config: StackConfig, configured: Any) -> Mapping[str, Any]:
    own = {"project": config.project, "stack": config.stack, "managed-by": "pulumi"}
    if configured is None:
        return {"tags": own}
    tags = configured.get("tags") if isinstance(configured, dict) else None
    if not isinstance(tags, dict) or len(cast("Mapping[str, Any]", configured)) > 1:
        raise ConfigError(
            "aws:defaultTags is not an object of tags, such as "
            '{"tags": {"cost-center": "42"}}; set one with '
            "`pulumi config set --path 'aws:defaultTags.tags.cost-center' 42`"
        )
    if taken := sorted(own.keys() & cast("Mapping[str, Any]", tags).keys()):
        raise ConfigError(f"aws:defaultTags has {', '.join(taken)}, which the program sets itself")
    return {"tags": {key: str(value) for key, value in {**tags, **own}.items()}}
