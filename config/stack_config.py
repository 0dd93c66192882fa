"""The stack's configuration: the only place that reads `pulumi.Config`, and that refuses what would fail later."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pulumi

from bundle.target import Target
from common.errors import UserError
from config import rules
from config.function_environment import UNKNOWN_URL_BYTES, check_environment
from config.naming import DEFAULT_REGION, Names
from config.types import BranchOf, Compute, Sizing, Throttle

LOCAL_STACK = "local"
LOCAL_CLOUD_VARIABLE = (
    "STACK_LOCAL_CLOUD"  # set by `stack up` and `stack pulumi`: everything below is on this machine
)

SECRET_KEYS = ("openaiApiKey", "apiKeys")


class ConfigError(UserError, pulumi.RunError):
    """A configuration value that is refused; Pulumi prints its text without a trace."""


@dataclass(frozen=True, kw_only=True)
class StackConfig:
    """One stack's configuration, checked. Keys are described in `Pulumi.yaml` and in the README's table.

    Raises `ConfigError`, naming the key, the value and what is allowed, before any resource is registered.
    """

    project: str
    stack: str
    local: bool
    aws_region: str
    site_domain: str
    extra_origins: Sequence[str]
    preview_origin_team: str
    sizing: Sizing
    architecture: Literal["arm64", "x86_64"]
    python: str
    bytecode: bool
    throttle: Throttle
    log_retention_days: int
    neon_region: str
    neon_org_id: str
    neon_history_seconds: int
    compute: Compute
    postgres_version: int
    neon_branch_protected: bool
    database_branch_of: str
    ssl_mode: str
    protect: bool
    allowed_account_ids: Sequence[str]
    openai_model: str
    openai_base_url: str
    openai_api_key: pulumi.Output[str] | None
    api_keys: pulumi.Output[str] | None
    api_keys_protect_reads: bool

    @property
    def names(self) -> Names:
        return Names(project=self.project, stack=self.stack, region=self.aws_region)

    @property
    def target(self) -> Target:
        """What the bundle is built for: this machine and its Python where the cloud is this machine."""
        return (
            Target.host()
            if self.local
            else Target(architecture=self.architecture, python=self.python)
        )

    @property
    def branch_of(self) -> BranchOf | None:
        """The branch that takes the place of a project of the stack's own, if there is to be one."""
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
        """A pattern of this project's own preview hosts, anchored, or "" (see docs/decisions/0002)."""
        if not self.preview_origin_team:
            return ""
        return rf"^https://{self.names.vercel_project}-[a-z0-9-]+-{self.preview_origin_team}\.vercel\.app$"

    @classmethod
    def load(cls) -> "StackConfig":
        """Read and check the configuration of the current stack.

        A cloud stack needs `siteDomain`. Stack `local` is refused without the local cloud, so that
        `pulumi up -s local` with keys in the shell builds nothing in a cloud.
        """
        project, stack = pulumi.get_project(), pulumi.get_stack()
        local = bool(os.environ.get(LOCAL_CLOUD_VARIABLE))
        if stack == LOCAL_STACK and not local:
            raise ConfigError('stack "local" is this machine: run `stack up`, not `pulumi up`')
        try:
            config = _read(project, stack, local)
            _check_environment(config)
        except UserError as error:
            raise ConfigError(str(error)) from None
        return config


def _read(project: str, stack: str, local: bool) -> StackConfig:
    read = rules.Reader(pulumi.Config(), project, known={*rules.DECLARED, *SECRET_KEYS})
    read.refuse_unknown()
    region = rules.region(pulumi.Config("aws").get("region") or DEFAULT_REGION)
    least, most = rules.compute_units(read.number("neonMinCu"), read.number("neonMaxCu"))
    return StackConfig(
        project=project,
        stack=rules.stack_name(stack),
        local=local,
        aws_region=region,
        site_domain=rules.site_domain(read.text("siteDomain"), stack, local=local),
        extra_origins=[rules.origin("extraOrigins", value) for value in read.texts("extraOrigins")],
        preview_origin_team=rules.team("previewOriginTeam", read.text("previewOriginTeam"), stack),
        sizing=Sizing(
            memory=read.within("memory", 128, 10240, "MB"),
            timeout=read.within("timeout", 1, 29, "seconds (the gateway gives up at 30)"),
            reserved_concurrency=read.within("reservedConcurrency", 0, 1000, "environments"),
        ),
        architecture=read.one_of("architecture", ("arm64", "x86_64")),
        python=read.one_of("python", ("3.12", "3.13", "3.14")),
        bytecode=read.boolean("bytecode"),
        throttle=Throttle(
            rate=read.within("throttleRate", 1, 10000, "requests a second"),
            burst=read.within("throttleBurst", 1, 5000, "requests"),
        ),
        log_retention_days=rules.retention(read.integer("logRetentionDays")),
        neon_region=rules.neon_region(read.text("neonRegion"), region),
        neon_org_id=rules.organization(read.text("neonOrgId")),
        neon_history_seconds=read.within("neonHistorySeconds", 0, 2592000, "seconds"),
        compute=Compute(
            min_cu=least,
            max_cu=most,
            suspend_seconds=read.within("neonSuspendSeconds", 0, 604800, "seconds"),
        ),
        postgres_version=read.within(
            "postgresVersion", 14, 18, "(major versions that Neon offers)"
        ),
        neon_branch_protected=read.boolean("neonBranchProtected"),
        database_branch_of=rules.parent_project(read.text("databaseBranchOf"), stack),
        ssl_mode=read.one_of(
            "sslMode", ("require", "verify-full", "prefer") if local else ("require", "verify-full")
        ),
        protect=read.boolean("protect"),
        allowed_account_ids=[rules.account_id(value) for value in read.texts("allowedAccountIds")],
        openai_model=read.text("openaiModel"),
        openai_base_url=rules.base_url("openaiBaseUrl", read.text("openaiBaseUrl")),
        openai_api_key=read.secret("openaiApiKey"),
        api_keys=read.secret("apiKeys"),
        api_keys_protect_reads=read.boolean("apiKeysProtectReads"),
    )


def _plain_environment(config: StackConfig) -> Mapping[str, str]:
    return {
        "CORS_ORIGIN_REGEX": config.preview_origin_pattern,
        "STAGE": config.stack,
        "OPENAI_MODEL": config.openai_model,
        "OPENAI_BASE_URL": config.openai_base_url,
        "API_KEYS_PROTECT_READS": "true" if config.api_keys_protect_reads else "",
    }


def function_environment(config: StackConfig) -> Mapping[str, pulumi.Input[str]]:
    """The function's variables that the configuration alone settles; an empty one is not sent."""
    secrets = {"OPENAI_API_KEY": config.openai_api_key, "API_KEYS": config.api_keys}
    return {
        **_plain_environment(config),
        **{name: value for name, value in secrets.items() if value is not None},
    }


def _check_environment(config: StackConfig) -> None:
    secrets: dict[str, Any] = {
        key: pulumi.runtime.get_config(f"{config.project}:{key}") or "" for key in SECRET_KEYS
    }
    variables = {
        **_plain_environment(config),
        "DATABASE_URL": "x" * UNKNOWN_URL_BYTES,
        "CORS_ORIGINS": ",".join([config.site_origin, *config.extra_origins]),
        "SERVICE_VERSION": "x" * 12,
        "OPENAI_API_KEY": secrets["openaiApiKey"],
        "API_KEYS": secrets["apiKeys"],
    }
    check_environment(
        {name: value for name, value in variables.items() if value},
        what="the function's environment (extraOrigins, apiKeys, openaiApiKey and the database's URL)",
    )
