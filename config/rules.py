"""What configuration values are allowed: plain functions that return the value or raise `UserError` naming key, value and limit."""

import difflib
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar, cast

import pulumi

from common.errors import UserError
from common.yaml_file import read_mapping
from config.naming import fit

T = TypeVar("T", bound=str)

# Regions that Neon shares with AWS; Neon writes `aws-` in front (Neon documentation, regions)
NEON_REGIONS = (
    "us-east-1",
    "us-east-2",
    "us-west-2",
    "eu-central-1",
    "eu-west-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "sa-east-1",
)
# Values that CloudWatch Logs accepts (PutRetentionPolicy, retentionInDays)
RETENTION_DAYS = (
    1,
    3,
    5,
    7,
    14,
    30,
    60,
    90,
    120,
    150,
    180,
    365,
    400,
    545,
    731,
    1096,
    1827,
    2192,
    2557,
    2922,
    3288,
    3653,
)
# Sizes of a fixed or autoscaling compute, in compute units (Neon documentation, autoscaling; at most 8 between the ends)
COMPUTE_UNITS = (0.25, 0.5, *range(1, 17))

STACK_NAME_LIMIT = 100  # Pulumi, stack names
PULL_REQUEST_STACK = re.compile(
    r"preview|pr-[0-9]+"
)  # made from Pulumi.preview.yaml, many at a time

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"  # RFC 1123
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})+")
_LOCAL_HOST = re.compile(r"localhost:[0-9]{1,5}")
MAX_PORT = 65535


def _declared() -> frozenset[str]:
    document = read_mapping(Path(__file__).parent.parent / "Pulumi.yaml")
    return frozenset(key for key in document["config"] if ":" not in key)


DECLARED = _declared()


def refuse(key: str, value: object, allowed: str) -> NoReturn:
    """Raise the one form of refusal."""
    raise UserError(
        f"{key} is {value!r}: {allowed}. Change it with `pulumi config set {key} VALUE`, or in Pulumi.<stack>.yaml."
    )


def stack_name(stack: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", stack) or len(stack) > STACK_NAME_LIMIT:
        raise UserError(
            f"stack name {stack!r}: 1 to {STACK_NAME_LIMIT} letters, digits, '-', '_' and '.' are allowed"
        )
    return stack


def region(value: str) -> str:
    if not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-[0-9]", value):
        refuse("aws:region", value, "an AWS region such as us-east-1 is expected")
    return value


def neon_region(value: str, aws_region: str) -> str:
    """Neon's name of the region; without a value the one beside the function."""
    offered = ", ".join(f"aws-{name}" for name in NEON_REGIONS)
    if not value and aws_region not in NEON_REGIONS:
        refuse(
            "neonRegion",
            value,
            f"Neon is not in aws:region {aws_region}, so it must be chosen from {offered}",
        )
    chosen = value or f"aws-{aws_region}"
    if chosen.removeprefix("aws-") not in NEON_REGIONS or not chosen.startswith("aws-"):
        refuse("neonRegion", value, f"Neon offers {offered}")
    return chosen


def organization(value: str) -> str:
    if value and not re.fullmatch(r"org-[a-z0-9-]+", value):
        refuse(
            "neonOrgId",
            value,
            "an organization's id at Neon is expected, such as org-quiet-forest-12345678",
        )
    return value


def parent_project(value: str, stack: str) -> str:
    """Id of the Neon project that this stack's database is to be a branch of, "" for a project of its own."""
    if value and not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", value):
        refuse(
            "databaseBranchOf",
            value,
            "a project's id at Neon is expected, such as quiet-forest-12345678 (the output neon_project_id)",
        )
    if value and stack == "prod":
        refuse(
            "databaseBranchOf",
            value,
            "production has a project of its own; leave it empty on stack prod",
        )
    return value


def host(key: str, value: str, *, local: bool = False) -> str:
    """A host; on this machine also `localhost:PORT`."""
    labels = value.split(".")
    if len(value) > 253 or any(len(label) > 63 for label in labels):
        refuse(
            key,
            value,
            f"a host has at most 253 characters, 63 between dots; the longest part here has {max(map(len, labels))}",
        )
    if not (_HOST.fullmatch(value) or (local and _LOCAL_HOST.fullmatch(value))):
        refuse(
            key,
            value,
            "a lower-case host is expected, such as success.example.com, without scheme, port, path or trailing slash",
        )
    return value


def site_domain(value: str, stack: str, *, local: bool) -> str:
    """The host that the site claims, with `{stack}` replaced by the stack's name as a host can hold it, another for each stack.

    A pull request's stack has to have it there, or all of them would claim one host.
    """
    if not value:
        refuse(
            "siteDomain",
            value,
            "a cloud stack needs the host that its dashboard claims: a domain of yours, or a *.vercel.app name that nobody has yet "
            "(names there are global, so there is no default), such as yourcompany-success.vercel.app",
        )
    if PULL_REQUEST_STACK.fullmatch(stack) and "{stack}" not in value and not local:
        refuse(
            "siteDomain",
            value,
            "stacks of pull requests are many, and each needs a host of its own: it has to hold {stack}, such as "
            "yourcompany-{stack}-success.vercel.app",
        )
    return host(
        "siteDomain",
        value.replace("{stack}", fit(stack, STACK_NAME_LIMIT, allowed="a-z0-9-")),
        local=local,
    )


def origin(key: str, value: str) -> str:
    """An exact origin: scheme and host, with a port where it is not the scheme's own; nothing else, and never `*`."""
    allowed = "an exact origin is expected, such as https://www.example.com: scheme and host, no path, no trailing slash, no '*'"
    match = re.fullmatch(r"(https?)://([^/?#@*\s:]+)(?::([1-9][0-9]{0,4}))?", value)
    if (
        not match
        or not (_HOST.fullmatch(match[2]) or match[2] == "localhost")
        or int(match[3] or 0) > MAX_PORT
    ):
        refuse(key, value, allowed)
    if match[3] == ("443" if match[1] == "https" else "80"):
        refuse(key, value, f"browsers leave :{match[3]} out of an {match[1]} origin")
    return value


def team(key: str, value: str, stack: str) -> str:
    if value and not re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", value):
        refuse(key, value, "a Vercel team slug is expected, lower-case letters, digits and '-'")
    if value and stack == "prod":
        refuse(key, value, "production admits exact origins only; leave it empty on stack prod")
    return value


def base_url(key: str, value: str) -> str:
    if value and not re.fullmatch(r"https?://[^\s?#]+", value):
        refuse(
            key,
            value,
            "an http(s) URL without query is expected, such as https://api.example.com/v1",
        )
    return value


def account_id(value: str) -> str:
    if not re.fullmatch(r"[0-9]{12}", value):
        refuse("allowedAccountIds", value, "an AWS account id has twelve digits")
    return value


def retention(days: int) -> int:
    if days not in RETENTION_DAYS:
        refuse("logRetentionDays", days, f"CloudWatch knows {', '.join(map(str, RETENTION_DAYS))}")
    return days


def compute_units(least: float, most: float) -> tuple[float, float]:
    for key, value in (("neonMinCu", least), ("neonMaxCu", most)):
        if value not in COMPUTE_UNITS:
            refuse(
                key, value, f"Neon's sizes are {', '.join(f'{size:g}' for size in COMPUTE_UNITS)}"
            )
    if least > most or most - least > 8:
        refuse("neonMaxCu", most, f"it must be neonMinCu ({least:g}) or up to 8 more")
    return least, most


class Reader:
    """Reads the project's keys by type, and refuses those that nobody knows."""

    def __init__(self, config: pulumi.Config, project: str, *, known: Collection[str]) -> None:
        self._config = config
        self._project = project
        self._known = known

    def refuse_unknown(self) -> None:
        present = {**pulumi.runtime.config.CONFIG.get(), **pulumi.runtime.config.get_config_env()}
        for full in sorted(present):
            namespace, _, key = full.partition(":")
            if namespace == self._project and key not in self._known:
                near = difflib.get_close_matches(key, self._known, 1, 0.5)
                hint = (
                    f'did you mean "{near[0]}"?'
                    if near
                    else f"known are {', '.join(sorted(self._known))}."
                )
                raise UserError(
                    f"unknown configuration key {key!r}: {hint} Remove it with `pulumi config rm {key}`."
                )

    def _get(self, key: str, get: Any, expected: str) -> Any:
        try:
            value = get(key)
        except (pulumi.ConfigTypeError, ValueError, TypeError):
            value = None
        if value is None:
            refuse(
                key, pulumi.runtime.get_config(f"{self._project}:{key}"), f"{expected} is expected"
            )
        return value

    def text(self, key: str) -> str:
        return cast("str", self._get(key, self._config.get, "text"))

    def boolean(self, key: str) -> bool:
        return cast("bool", self._get(key, self._config.get_bool, "true or false"))

    def integer(self, key: str) -> int:
        return cast("int", self._get(key, self._config.get_int, "a whole number"))

    def number(self, key: str) -> float:
        return cast("float", self._get(key, self._config.get_float, "a number"))

    def texts(self, key: str) -> Sequence[str]:
        values = self._get(key, self._config.get_object, "a list")
        if not isinstance(values, list) or not all(
            isinstance(value, str) for value in cast("list[object]", values)
        ):
            refuse(key, values, "a list of texts is expected")
        return cast("Sequence[str]", values)

    def within(self, key: str, low: int, high: int, unit: str) -> int:
        value = self.integer(key)
        if not low <= value <= high:
            refuse(key, value, f"{low} to {high} {unit}".rstrip() + " are allowed")
        return value

    def one_of(self, key: str, allowed: Sequence[T]) -> T:
        value = self.text(key)
        if value not in allowed:
            refuse(key, value, f"{', '.join(allowed)} are allowed")
        return cast("T", value)

    def secret(self, key: str) -> pulumi.Output[str] | None:
        """An optional secret. Refused when it stands in the configuration in the clear."""
        full = f"{self._project}:{key}"
        secret = (
            pulumi.runtime.is_config_secret(full)
            or full in pulumi.runtime.get_config_secret_keys_env()
        )
        if pulumi.runtime.get_config(full) is not None and not secret:
            raise UserError(
                f"{key} stands in the configuration in the clear: set it with `pulumi config set --secret {key}`"
            )
        return self._config.get_secret(key)
