"""Loads the configuration of a stack without the program, so that no provider SDK is imported."""

import asyncio
import contextlib
import os
import tempfile
from collections.abc import Awaitable, Callable, Generator, Mapping
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

import pulumi
import pytest

from config.stack_config import (
    LOCAL_CLOUD_VARIABLE,
    ConfigError,
    StackConfig,
    function_environment,
)
from stack.local.deploy import stack_config
from stack.local.deploy.stack_config import StackSettings
from tests.support.project_files import ROOT

T = TypeVar("T")
PROJECT = "ai-success-insights"
SITE_DOMAIN = "insights.example.com"


def stack_settings(
    root: Path,
    stack: str,
    config: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
) -> StackSettings:
    """Return what the engine would send to the program of `root`.

    config: short keys over the defaults of `Pulumi.yaml` and the stack's file, values as texts.
        `siteDomain` has a value already.
    secrets: the same, stored as `pulumi config set --secret` stores them.
    """
    secrets = secrets or {}
    settings = stack_config.load(
        root,
        stack,
        config_overrides={"siteDomain": SITE_DOMAIN, **(config or {}), **secrets},
    )
    return StackSettings(
        project=settings.project,
        config=settings.config,
        secret_keys=tuple(stack_config.qualify(key, settings.project) for key in secrets),
    )


@contextlib.contextmanager
def environment(*, local: bool) -> Generator[None]:
    """Set the environment variables of a cloud or of a local deployment."""
    variables = {
        name: text
        for name, text in os.environ.items()
        if not name.startswith("PULUMI_") and name != LOCAL_CLOUD_VARIABLE
    }
    variables |= {LOCAL_CLOUD_VARIABLE: "/tmp/control.sock"} if local else {}
    with mock.patch.dict(os.environ, variables, clear=True):
        yield


def _evaluated(
    value: Callable[[StackConfig], Awaitable[T]],
    *,
    stack: str = "prod",
    local: bool = False,
    config: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
) -> T:
    with tempfile.TemporaryDirectory() as directory:  # without a `.local/config.yaml`
        for path in ROOT.glob("Pulumi*.yaml"):
            (Path(directory) / path.name).symlink_to(path)
        settings = stack_settings(Path(directory), stack, config, secrets)

    async def in_event_loop() -> T:  # which secrets need
        pulumi.runtime.settings.configure(
            pulumi.runtime.Settings(project=settings.project, stack=stack)
        )
        pulumi.runtime.config.set_all_config(dict(settings.config), list(settings.secret_keys))
        return await value(StackConfig.load())

    with environment(local=local):
        return asyncio.run(in_event_loop())


def load(**arguments: Any) -> StackConfig:
    """Return the configuration of a stack of this project.

    Arguments: stack, local, and those of `stack_settings`.
    """

    async def itself(config: StackConfig) -> StackConfig:
        return config

    return _evaluated(itself, **arguments)


def function_variables(**arguments: Any) -> Mapping[str, str]:
    """Return the variables of the function that follow from a configuration, as it gets them."""

    async def resolved(config: StackConfig) -> Mapping[str, str]:
        known = {**function_environment(config), "CORS_ORIGINS": ",".join(config.extra_origins)}
        values = await pulumi.Output.all(**known).future(with_unknowns=False) or {}
        return {name: value for name, value in values.items() if value}

    return _evaluated(resolved, **arguments)


def refusal(**arguments: Any) -> str:
    """Return the error of a configuration that is refused."""
    with pytest.raises(ConfigError) as refused:
        load(**arguments)
    return str(refused.value)
