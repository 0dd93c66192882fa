"""The directory `.local/pulumi/`, in which `stack pulumi` runs the Pulumi CLI.

The CLI uses it instead of its home and its backend, so it reads and writes nothing of a cloud.

project/     a `Pulumi.yaml` that points at the checkout, and the stacks' local configuration, both
             written before each run
state/       the file backend
home/        the CLI's home (`PULUMI_HOME`)
passphrase   encrypts secrets in state and configuration
"""

import json
import os
import re
import secrets
import shutil
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import psutil
import yaml

from common.yaml_file import read_mapping
from config.stack_config import LOCAL_CLOUD_VARIABLE, LOCAL_STACK, SECRET_KEYS
from stack.local.deploy import stack_config
from stack.local.system.files import write_private
from stack.local.system.paths import LocalPaths

PROGRAM_PATH = Path(__file__).with_name("program")
PACKAGES = ("aws", "vercel", "terraform-provider")
"""Packages that the provider serves; the last is the bridge, which is parameterized for Neon."""


class Workspace:
    """The Pulumi project and backend of one checkout."""

    def __init__(self, paths: LocalPaths) -> None:
        self._paths = paths
        self._directory = paths.directory / "pulumi"
        self.project_directory = self._directory / "project"
        self._document = read_mapping(paths.root / "Pulumi.yaml")
        self._project = str(self._document["name"])

    def environment(self, inherited: Mapping[str, str], *, port: int | None) -> dict[str, str]:
        """Return the CLI's environment.

        port: of the gRPC provider, for commands that use one.
        """
        attached = (
            {}
            if port is None
            else {"PULUMI_DEBUG_PROVIDERS": ",".join(f"{package}:{port}" for package in PACKAGES)}
        )
        return {
            **inherited,
            LOCAL_CLOUD_VARIABLE: str(self._paths.socket),
            "PULUMI_HOME": str(self._directory / "home"),
            "PULUMI_BACKEND_URL": f"file://{self._directory / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(self._directory / "passphrase"),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            # No plugin is needed, and the search for one takes seconds.
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PYTHONPATH": str(PROGRAM_PATH),
            **attached,
        }

    def make(self) -> None:
        """Create the directories, the passphrase and `Pulumi.yaml`."""
        for directory in ("home", "state", "project"):
            (self._directory / directory).mkdir(parents=True, exist_ok=True)
        passphrase = self._directory / "passphrase"
        if not passphrase.exists():
            write_private(passphrase, secrets.token_urlsafe(32))
        runtime = {"name": "python", "options": {"toolchain": "pip", "virtualenv": sys.prefix}}
        document = {**self._document, "main": str(self._paths.root), "runtime": runtime}
        write_private(
            self.project_directory / "Pulumi.yaml",
            yaml.safe_dump(document, sort_keys=False, allow_unicode=True),
            sync=False,
        )

    def configure(self, stack: str, config_overrides: Mapping[str, str]) -> Mapping[str, str]:
        """Write the stack's configuration, all layers merged, with `config_overrides` over them.

        Return the secret values by full key, which only the CLI can encrypt and write. Raises
        `UserError` as `stack_config.layers` does.
        """
        found = stack_config.layers(
            self._paths.root, self._project, dict.fromkeys((LOCAL_STACK, stack))
        )
        merged = {
            stack_config.qualify(key, self._project): value
            for key, value in {**found, **config_overrides}.items()
            if value is not None
        }
        secret = {
            key: str(merged.pop(key))
            for key in (stack_config.qualify(key, self._project) for key in SECRET_KEYS)
            if key in merged
        }
        path = self.project_directory / f"Pulumi.{stack}.yaml"
        salt = read_mapping(path).get("encryptionsalt") if path.exists() else None
        document = {**({"encryptionsalt": salt} if salt else {}), "config": merged}
        write_private(
            path, yaml.safe_dump(document, sort_keys=False, allow_unicode=True), sync=False
        )
        return secret

    def has(self, stack: str) -> bool:
        """Return whether the backend has a state of the stack."""
        return any(
            (self._backend / "stacks" / self._project / f"{stack}.json{suffix}").exists()
            for suffix in ("", ".gz")
        )

    def unlock(self, stack: str) -> list[int]:
        """Remove the backend's locks of processes that have been killed; return their pids."""
        dead: list[int] = []
        for path in (self._backend / "locks").glob(f"*/{self._project}/{stack}/*.json"):
            pid = _dead_owner(path)
            if pid is not None:
                path.unlink(missing_ok=True)
                dead.append(pid)
        return dead

    def forget(self, stack: str) -> None:
        """Delete the history, backups and logs that the CLI keeps of a removed stack."""
        for copy in (self._backend / "stacks" / self._project).glob(f"{stack}.json.*"):
            copy.unlink()
        for directory in list(self._backend.glob(f"**/{self._project}/{stack}")):
            shutil.rmtree(directory, ignore_errors=True)
        log = re.compile(rf".*\+{re.escape(stack)}-\d+T\d+\.log")
        for path in (self._directory / "home/logs").glob("*.log"):
            if log.fullmatch(path.name):
                path.unlink(missing_ok=True)

    @property
    def _backend(self) -> Path:
        return self._directory / "state/.pulumi"


def _dead_owner(lock: Path) -> int | None:
    """Return the pid in a lock file when it is of this host and no longer a `pulumi` process."""
    try:
        held = cast("Mapping[str, Any]", json.loads(lock.read_text(encoding="utf-8")))
        pid = int(held["pid"])
        here = held["hostname"] == socket.gethostname()
        alive = psutil.pid_exists(pid) and psutil.Process(pid).name().startswith("pulumi")
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return None
    return pid if here and not alive and pid != os.getpid() else None
