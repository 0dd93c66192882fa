"""The keys `aws:…` of a stack reach the explicit provider, or are refused by name."""

import inspect
import json
from pathlib import Path
from typing import Any, get_args

import pulumi_aws as aws
import pytest

from config.stack_config import ConfigError
from stack.local.resources import values
from tests.support.program import evaluate

_, *PARAMETERS = inspect.signature(aws.ProviderArgs.__init__).parameters.values()
NAMES = [parameter.name for parameter in PARAMETERS]
STRUCTURED = {
    "assumeRoles": [{"roleArn": "arn:aws:iam::210987654321:role/deploy", "duration": "1h"}],
    "assumeRoleWithWebIdentity": {"roleArn": "arn:aws:iam::210987654321:role/deploy"},
    "allowedAccountIds": ["210987654321"],
    "forbiddenAccountIds": ["123456789012"],
    "endpoints": [{"lambda": "http://localhost:4566"}],
    "ignoreTags": {"keyPrefixes": ["aws:"]},
    "sharedConfigFiles": ["~/.aws/work"],
    "sharedCredentialsFiles": ["~/.aws/work"],
    "userAgents": ["ci"],
    "maxRetries": 3,
    "tokenBucketRateLimiterCapacity": 5,
}


def provider(project: Path, **keys: Any) -> dict[str, Any]:
    """Return the inputs of the provider; on the wire all but texts are JSON."""
    config = {
        f"aws:{key}": value if isinstance(value, str) else json.dumps(value)
        for key, value in keys.items()
    }
    return evaluate(project, config=config)["aws"].plain


def camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"default_tags", "region"}))
def test_every_key_of_the_provider_reaches_it(project: Path, name: str):
    key, annotation = camel_case(name), dict(zip(NAMES, PARAMETERS, strict=True))[name].annotation
    is_text = get_args(annotation)[0] is str
    value = "text" if is_text else STRUCTURED.get(key, True)
    sent = provider(project, **{key: value})[key]
    assert (sent if is_text else json.loads(sent)) == value


def test_default_tags_are_added_to_those_of_the_program(project: Path):
    sent = provider(project, defaultTags={"tags": {"cost-center": 42}})["defaultTags"]
    assert json.loads(sent)["tags"] == {
        "cost-center": "42",
        "project": "ai-success-insights",
        "stack": "prod",
        "managed-by": "pulumi",
    }


def test_a_secret_key_is_sent_as_a_secret(project: Path):
    secrets = {"aws:secretKey": "abc", "aws:assumeRoles": json.dumps(STRUCTURED["assumeRoles"])}
    inputs = evaluate(project, stack="dev", secrets=secrets)["aws"].inputs
    assert isinstance(inputs["secretKey"], values.Secret)
    assert isinstance(inputs["assumeRoles"], values.Secret)
    assert json.loads(inputs["assumeRoles"].value) == STRUCTURED["assumeRoles"]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"profil": "work"}, 'has no key aws:profil: did you mean "aws:profile"'),
        ({"assumeRole": {"roleArn": "x"}}, 'did you mean "aws:assumeRoles"'),
        ({"zzz": "x"}, "has no key aws:zzz: known are accessKey, allowedAccountIds"),
        ({"assumeRoles": "arn:aws:iam::1:role/x"}, "aws:assumeRoles is no JSON"),
        ({"insecure": "yes"}, "aws:insecure is no JSON"),
        ({"defaultTags": {"cost-center": "42"}}, "aws:defaultTags is not an object of tags"),
        ({"defaultTags": ["a"]}, "aws:defaultTags is not an object of tags"),
        ({"defaultTags": {"tags": {"stack": "x"}}}, "aws:defaultTags has stack"),
    ],
)
def test_a_key_that_would_not_be_in_force_is_refused(
    project: Path, keys: dict[str, Any], message: str
):
    with pytest.raises(ConfigError) as refused:
        provider(project, **keys)
    assert message in str(refused.value)


def test_the_guard_of_accounts_cannot_be_contradicted_or_switched_off(project: Path):
    own = {"allowedAccountIds": '["123456789012"]'}
    with pytest.raises(ConfigError, match="both set: keep one"):
        evaluate(project, config={**own, "aws:allowedAccountIds": '["210987654321"]'})
    with pytest.raises(ConfigError, match="aws:skipRequestingAccountId is true"):
        evaluate(project, config={**own, "aws:skipRequestingAccountId": "true"})
