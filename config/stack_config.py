"""The configuration of a stack: its keys, and the only place that reads `pulumi.Config`."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import pulumi

from bundle.target import Target
from common.errors import UserError
from config import preview_origins, rules
from config.function_environment import UNKNOWN_URL_BYTES, VERSION_VARIABLE, check_environment
from config.location import how_to_change
from config.naming import DEFAULT_REGION, Names
from config.reader import is_secret, namespace, read
from config.rules import (
    Between,
    RefusedValueError,
    each,
    matching,
    one_of,
)
from config.service_settings import refused_variable
from config.types import BranchOf, Compute, Sizing, StackIdentity, Throttle

LOCAL_STACK = "local"
LOCAL_CLOUD_VARIABLE = "STACK_LOCAL_CLOUD"
"""Environment variable that `stack up` and `stack pulumi` set: the stack is deployed locally."""

SECRET_KEYS = ("openaiApiKey", "apiKeys")

VARIABLE_KEYS: Mapping[str, str] = {
    "API_KEYS": "apiKeys",
    "API_KEYS_PROTECT_READS": "apiKeysProtectReads",
    "CORS_ORIGINS": "extraOrigins",
    "CORS_ORIGIN_REGEX": "previewOriginTeam",
    "OPENAI_API_KEY": "openaiApiKey",
    "OPENAI_BASE_URL": "openaiBaseUrl",
    "OPENAI_MODEL": "openaiModel",
    "TIME_ZONE": "timeZone",
}
"""Variables of the function and the keys that their values come from."""


class ConfigError(UserError, pulumi.RunError):
    """A configuration that is refused. Pulumi prints its text without a traceback."""


@dataclass(frozen=True, kw_only=True)
class StackConfig(StackIdentity):
    """The checked configuration of one stack.

    Each field below is a configuration key (see `config.reader`). Its default and description are
    in `Pulumi.yaml`, so a new key takes a declaration there, a field here and a row in the table of
    the documentation.
    """

    site_domain: Annotated[str, rules.site_domain]
    extra_origins: Annotated[Sequence[str], each(rules.origin)]
    preview_origin_team: Annotated[
        str,
        matching(
            rf"(?=.{{1,{preview_origins.LONGEST_TEAM}}}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?",
            "a Vercel team slug is expected, lower-case letters, digits and '-', "
            f"at most {preview_origins.LONGEST_TEAM} characters",
        ),
    ]
    memory: Annotated[int, Between(128, 10240, "MB")]
    timeout: Annotated[int, Between(1, 29, "seconds (the gateway times out at 30)")]
    architecture: Literal["arm64", "x86_64"]
    python: Literal["3.12", "3.13", "3.14"]
    bytecode: bool
    reserved_concurrency: Annotated[int, Between(0, 1000, "environments")]
    throttle_rate: Annotated[int, Between(1, 10000, "requests per second")]
    throttle_burst: Annotated[int, Between(1, 5000, "requests")]
    log_retention_days: Annotated[int, one_of(rules.RETENTION_DAYS, "CloudWatch Logs accepts")]
    time_zone: Annotated[str, rules.time_zone]
    upkeep: bool
    neon_region: Annotated[str, rules.neon_region]
    neon_org_id: Annotated[
        str,
        matching(
            r"org-[a-z0-9-]+",
            "an organization's id at Neon is expected, such as org-quiet-forest-12345678",
        ),
    ]
    neon_history_seconds: Annotated[int, Between(0, 2592000, "seconds")]
    neon_min_cu: Annotated[float, one_of(rules.COMPUTE_UNITS, "Neon's sizes are")]
    neon_max_cu: Annotated[float, one_of(rules.COMPUTE_UNITS, "Neon's sizes are")]
    neon_suspend_seconds: Annotated[
        int, Between(rules.ALWAYS_ON, 604800, "seconds (-1 never suspends, on a branch)")
    ]
    postgres_version: Annotated[int, Between(14, 18, "(major versions that Neon offers)")]
    neon_branch_protected: bool
    database_branch_of: Annotated[
        str,
        matching(
            r"[a-z0-9]+(-[a-z0-9]+)*",
            "a project's id at Neon is expected, such as quiet-forest-12345678 "
            "(the output neon_project_id)",
        ),
    ]
    ssl_mode: Annotated[str, rules.ssl_mode]
    protect: bool
    allowed_account_ids: Annotated[Sequence[str], each(rules.account_id)]
    openai_model: str
    openai_base_url: Annotated[
        str,
        matching(
            r"https?://[^\s?#]+",
            "an http(s) URL without query is expected, such as https://api.example.com/v1",
        ),
    ]
    openai_api_key: pulumi.Output[str] | None
    api_keys: pulumi.Output[str] | None
    api_keys_protect_reads: bool

    @classmethod
    def load(cls) -> "StackConfig":
        """Read and check the configuration of the current stack.

        Raises `ConfigError` with the key, the value and what is allowed, before any resource is
        registered. The stack `local` is refused outside the local cloud, so that `pulumi up -s
        local` in a shell with credentials creates nothing in a cloud.
        """
        project, stack = pulumi.get_project(), pulumi.get_stack()
        local = bool(os.environ.get(LOCAL_CLOUD_VARIABLE))
        if stack == LOCAL_STACK and not local:
            raise ConfigError('stack "local" runs on this machine: use `stack up`, not `pulumi up`')
        identity = StackIdentity(
            project=project,
            stack=stack,
            local=local,
            aws_region=namespace("aws").get("region") or DEFAULT_REGION,
        )
        try:
            rules.stack_name(stack)
            rules.aws_region(identity.aws_region)
            config = read(cls, pulumi.Config(), identity)
            for key, value, reason in (
                ("previewOriginTeam", config.preview_origin_team, "admits exact origins only"),
                ("databaseBranchOf", config.database_branch_of, "has a project of its own"),
            ):
                rules.check_production(
                    key, value, f"production {reason}", stack=stack, protect=config.protect
                )
            rules.check_autoscaling(config.neon_min_cu, config.neon_max_cu)
            rules.check_suspension(config.neon_suspend_seconds, of_project=config.branch_of is None)
            _check_environment(config)
        except RefusedValueError as error:
            raise ConfigError(f"{error} {how_to_change(error.path, identity)}") from None
        except UserError as error:
            raise ConfigError(str(error)) from None
        return config

    @property
    def aws_settings(self) -> Mapping[str, pulumi.Input[str]]:
        """Return the keys of the namespace `aws` without it, as texts; secret ones are secret."""
        config = pulumi.Config("aws")
        return {
            key: config.require_secret(key) if is_secret(f"aws:{key}") else value
            for key, value in namespace("aws").items()
        }

    @property
    def names(self) -> Names:
        """Return the physical names. Local ones are the same for every region.

        So a change of `aws:region` replaces nothing locally, the database and the logs above all.
        """
        region = DEFAULT_REGION if self.local else self.aws_region
        return Names(project=self.project, stack=self.stack, region=region)

    @property
    def target(self) -> Target:
        """Return what the bundle is built for. Locally that is this machine and its Python."""
        if self.local:
            return Target.host()
        return Target(architecture=self.architecture, python=self.python)

    @property
    def sizing(self) -> Sizing:
        return Sizing(
            memory=self.memory,
            timeout=self.timeout,
            reserved_concurrency=self.reserved_concurrency,
        )

    @property
    def throttle(self) -> Throttle:
        return Throttle(rate=self.throttle_rate, burst=self.throttle_burst)

    @property
    def compute(self) -> Compute:
        return Compute(
            min_cu=self.neon_min_cu,
            max_cu=self.neon_max_cu,
            suspend_seconds=self.neon_suspend_seconds,
        )

    @property
    def branch_of(self) -> BranchOf | None:
        """Return the branch to create instead of a Neon project, or None for a project."""
        if not self.database_branch_of:
            return None
        return BranchOf(
            project=self.database_branch_of, name=self.names.neon_branch, one_server=self.local
        )

    @property
    def site_scheme(self) -> Literal["http", "https"]:
        return "http" if self.local else "https"

    @property
    def site_origin(self) -> str:
        return f"{self.site_scheme}://{self.site_domain}"

    @property
    def preview_origin_pattern(self) -> str:
        """Return an anchored pattern of this project's own preview hosts, or "".

        See docs/decisions/0002.
        """
        if not self.preview_origin_team:
            return ""
        return preview_origins.preview_origin_pattern(
            self.names.vercel_project, self.preview_origin_team
        )


def _plain_environment(config: StackConfig) -> Mapping[str, str]:
    return {
        "CORS_ORIGIN_REGEX": config.preview_origin_pattern,
        "STAGE": config.stack,
        "OPENAI_MODEL": config.openai_model,
        "OPENAI_BASE_URL": config.openai_base_url,
        "API_KEYS_PROTECT_READS": "true" if config.api_keys_protect_reads else "",
        "TIME_ZONE": "" if config.time_zone == rules.UTC else config.time_zone,
    }


def function_environment(config: StackConfig) -> Mapping[str, pulumi.Input[str]]:
    """Return the variables of the function that depend on the configuration alone.

    Some values may be empty; `components.function` leaves these variables out.
    """
    secrets = {"OPENAI_API_KEY": config.openai_api_key, "API_KEYS": config.api_keys}
    return {
        **_plain_environment(config),
        **{name: value for name, value in secrets.items() if value is not None},
    }


def _check_environment(config: StackConfig) -> None:
    """Raise `UserError` if the service would not start with the function's environment.

    That is a value which the service's own settings refuse, secret ones too, or more than what
    Lambda allows. What the configuration does not know counts with its greatest length.
    """
    openai_api_key, api_keys = (
        pulumi.runtime.get_config(f"{config.project}:{key}") for key in SECRET_KEYS
    )
    variables = {
        **_plain_environment(config),
        "DATABASE_URL": "x" * UNKNOWN_URL_BYTES,
        "CORS_ORIGINS": ",".join([config.site_origin, *config.extra_origins]),
        VERSION_VARIABLE: "x" * 12,
        "OPENAI_API_KEY": openai_api_key or "",
        "API_KEYS": api_keys or "",
    }
    filled = {name: value for name, value in variables.items() if value}
    if refused := refused_variable(filled):
        variable, reason = refused
        raise RefusedValueError(VARIABLE_KEYS.get(variable, variable), reason)
    check_environment(
        filled,
        what="the function's environment "
        "(extraOrigins, apiKeys, openaiApiKey and the database's URL)",
    )
