"""The platform and the Python version that a bundle is built for."""

import platform
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from common.errors import UserError

Architecture = Literal["arm64", "x86_64"]

BUNDLES = Path(".local", "bundle")  # all targets' bundles, relative to the project's root
GLIBC = (2, 34)  # of Amazon Linux 2023, on which Lambda runs Python 3.12 and newer
_UV_MACHINES: dict[Architecture, str] = {"arm64": "aarch64", "x86_64": "x86_64"}
_HOST_ARCHITECTURES: dict[str, Architecture] = {
    "aarch64": "arm64",
    "arm64": "arm64",
    "x86_64": "x86_64",
    "amd64": "x86_64",
}


@dataclass(frozen=True, kw_only=True)
class Target:
    """The platform of a bundle.

    architecture: arm64 or x86_64, Lambda's names. python: the minor version, "3.13".
    system: "linux" is Lambda's; "macos" is for host builds only.
    """

    architecture: Architecture
    python: str
    system: Literal["linux", "macos"] = "linux"

    def __post_init__(self) -> None:
        if self.architecture not in _UV_MACHINES:
            raise UserError(f"architecture {self.architecture!r}: use arm64 or x86_64")
        if not re.fullmatch(r"3\.(1[1-9]|[2-9]\d)", self.python):
            raise UserError(
                f"python {self.python!r}: use a minor version from 3.11 on, such as 3.13"
            )

    @classmethod
    def host(cls) -> "Target":
        """Return the target for this machine and the Python of this process.

        On Linux its bundle equals Lambda's for that architecture and version.
        """
        architecture = _HOST_ARCHITECTURES.get(platform.machine().lower())
        if architecture is None or sys.platform not in {"linux", "darwin"}:
            raise UserError(
                f"a bundle cannot run on {sys.platform} {platform.machine()}: "
                "use Linux or macOS on x86-64 or arm64"
            )
        return cls(
            architecture=architecture,
            python=f"{sys.version_info.major}.{sys.version_info.minor}",
            system="linux" if sys.platform == "linux" else "macos",
        )

    @property
    def platform(self) -> str:
        return f"{self.system}-{self.architecture}"

    @property
    def name(self) -> str:
        """`<platform>-<python>`."""
        return f"{self.platform}-{self.python}"

    @property
    def directory(self) -> Path:
        """The directory of its bundle, relative to the project's root."""
        return BUNDLES / self.name

    @property
    def uv_platform(self) -> str | None:
        """uv's name of the platform; None lets uv choose wheels for the interpreter it is given."""
        return (
            f"{_UV_MACHINES[self.architecture]}-manylinux_{GLIBC[0]}_{GLIBC[1]}"
            if self.system == "linux"
            else None
        )
