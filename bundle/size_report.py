"""The sizes of a bundle and of its packages, as `report.json` and as a printed table."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Package:
    """The size of a distribution in bytes. The code is the package `service`."""

    name: str
    version: str
    zipped: int
    unzipped: int


@dataclass(frozen=True, kw_only=True)
class Part:
    """One zip. zipped: bytes of the file. unzipped: bytes of its content."""

    sha256: str
    zipped: int
    unzipped: int
    files: int
    packages: Sequence[Package]


@dataclass(frozen=True, kw_only=True)
class Report:
    """What was built, and how it was verified.

    target, python: the platform and the minor version. bytecode: the version of the CPython that
    compiled it, with its patch release, or None. The same lock, service and `bytecode` give the
    same bytes on every machine. smoke_test: a sentence on how the bundle was verified.
    """

    target: str
    python: str
    bytecode: str | None
    layer: Part
    code: Part
    smoke_test: str

    @property
    def packages(self) -> list[Package]:
        """The packages of both zips, the largest first."""
        return sorted(
            [*self.layer.packages, *self.code.packages],
            key=lambda package: (-package.zipped, package.name),
        )

    def as_json(self) -> str:
        """Return the content of `report.json`."""
        return json.dumps(asdict(self), indent=1) + "\n"

    def __str__(self) -> str:
        compiled = f"bytecode by CPython {self.bytecode}" if self.bytecode else "no bytecode"
        return "\n".join(
            [
                f"Bundle for {self.target}, Python {self.python}, {compiled}",
                f"  layer.zip  {_summary(self.layer)}",
                f"  code.zip   {_summary(self.code)}",
                f"  smoke test {self.smoke_test}",
                table(self.packages, most=12),
            ]
        )


def part_from_json(fields: dict[str, Any]) -> Part:
    """Return the part whose `asdict` these fields are."""
    packages = tuple(Package(**package) for package in fields["packages"])
    sizes = {name: value for name, value in fields.items() if name != "packages"}
    return Part(packages=packages, **sizes)


def table(packages: Iterable[Package], *, most: int = 10) -> str:
    """Return a table of the `most` largest packages and a line for the rest, in units of 1000."""
    ordered = sorted(packages, key=lambda package: (-package.zipped, package.name))
    rows = [
        (f"{p.name} {p.version}".strip(), _size(p.zipped), _size(p.unzipped))
        for p in ordered[:most]
    ]
    if rest := ordered[most:]:
        rows.append(
            (
                f"{len(rest)} more",
                _size(sum(p.zipped for p in rest)),
                _size(sum(p.unzipped for p in rest)),
            )
        )
    width = max([len("package"), *(len(name) for name, _, _ in rows)])
    return "\n".join(
        [
            f"  {'package':<{width}}  {'zipped':>9}  {'unzipped':>9}",
            *(f"  {name:<{width}}  {zipped:>9}  {unzipped:>9}" for name, zipped, unzipped in rows),
        ]
    )


def _summary(part: Part) -> str:
    return (
        f"{_size(part.zipped):>9} zipped  {_size(part.unzipped):>9} unzipped  "
        f"{part.files:>5} files  sha256 {part.sha256[:12]}"
    )


def _size(size: int) -> str:
    return f"{size / 1e6:.2f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"
