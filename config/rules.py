"""Rules for configuration values.

A rule is called with a key, its value and the stack that is configured. It returns the value that
the program uses, or raises `UserError` with the key, the value and what is allowed.
"""

import difflib
import re
import zoneinfo
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, NoReturn

from common.errors import UserError
from config.naming import fit
from config.types import StackIdentity

Rule = Callable[[str, Any, StackIdentity], Any]

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
"""AWS regions that Neon is in; Neon writes `aws-` before the name (Neon documentation, Regions)."""

RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
"""Values that CloudWatch Logs accepts (PutRetentionPolicy, retentionInDays)."""

AUTOSCALING_LIMIT = 16
AUTOSCALING_RANGE = 8
"""Compute units up to which Neon scales, and those between the two limits, at most.

(Neon documentation, Autoscaling.)
"""

COMPUTE_UNITS = (0.25, 0.5, *range(1, AUTOSCALING_LIMIT + 1), *range(18, 57, 2))
"""Sizes of a Neon compute in compute units; the largest are fixed (Neon documentation, Compute)."""

ALWAYS_ON = -1
"""`suspend_timeout_seconds` of a compute that is never suspended (Neon API reference)."""

PRODUCTION = "prod"
UTC = "UTC"
STACK_NAME_LIMIT = 100  # Pulumi, stack names
PULL_REQUEST_STACK = re.compile(r"preview|pr-[0-9]+")
"""Stacks that are created from `Pulumi.preview.yaml`, many at a time."""

HOST_LIMIT, LABEL_LIMIT = 253, 63  # characters, RFC 1035
MAX_PORT = 65535
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"  # RFC 1123
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})+")
_LOCAL_HOST = re.compile(r"localhost:[0-9]{1,5}")
_ORIGIN = re.compile(r"(https?)://([^/?#@*\s:]+)(?::([1-9][0-9]{0,4}))?")


class RefusedValueError(UserError):
    """A value that a rule refuses. The message says what is allowed.

    path: of the value to set instead, such as `extraOrigins[0]`.
    """

    def __init__(self, key: str, reason: str, *, path: str = "") -> None:
        super().__init__(f"{key} {reason}.")
        self.path = path or key


def refuse(key: str, value: object, allowed: str) -> NoReturn:
    """Raise the error that all rules have in common."""
    raise RefusedValueError(key, f"is {value!r}: {allowed}")


# Rules for keys of any kind


@dataclass(frozen=True)
class Between:
    """Allows the numbers from `low` to `high`, which are counted in `unit`."""

    low: int
    high: int
    unit: str

    def __call__(self, key: str, value: int, _stack: StackIdentity) -> int:
        if not self.low <= value <= self.high:
            refuse(key, value, f"{self.low} to {self.high} {self.unit} are allowed")
        return value


def one_of(allowed: Collection[float], introduction: str) -> Rule:
    """Allow these numbers; the error lists them after `introduction`."""

    def rule(key: str, value: float, _stack: StackIdentity) -> float:
        if value not in allowed:
            refuse(key, value, f"{introduction} {', '.join(f'{item:g}' for item in allowed)}")
        return value

    return rule


def matching(pattern: str, expected: str) -> Rule:
    """Allow texts that match a regular expression as a whole, and the empty text."""

    def rule(key: str, value: str, _stack: StackIdentity) -> str:
        if value and not re.fullmatch(pattern, value):
            refuse(key, value, expected)
        return value

    return rule


def each(rule: Rule) -> Rule:
    """Apply a rule to each item of a list; an error names the item by its index."""

    def list_rule(key: str, values: list[Any], stack: StackIdentity) -> list[Any]:
        return [rule(f"{key}[{index}]", value, stack) for index, value in enumerate(values)]

    return list_rule


# Rules for one key


def site_domain(key: str, value: str, stack: StackIdentity) -> str:
    """Return the host that the site claims, with `{stack}` replaced by the stack's label.

    A label is the stack's name as a host can contain it; different names have different labels. A
    stack of a pull request needs `{stack}`, because all of them would claim one host without it.
    """
    if not value:
        refuse(
            key,
            value,
            "a cloud stack needs the host that its dashboard claims: a domain of yours, or a "
            "*.vercel.app name that is still free (these names are global, so there is no "
            "default), such as yourcompany-success.vercel.app",
        )
    if PULL_REQUEST_STACK.fullmatch(stack.stack) and "{stack}" not in value and not stack.local:
        refuse(
            key,
            value,
            "each stack of a pull request needs a host of its own, so the value has to contain "
            "{stack}, such as yourcompany-{stack}-success.vercel.app",
        )
    label = fit(stack.stack, STACK_NAME_LIMIT, allowed="a-z0-9-")
    return host(key, value.replace("{stack}", label), local=stack.local)


def host(key: str, value: str, *, local: bool = False) -> str:
    """Return a host name. Locally `localhost:PORT` is allowed too."""
    longest = max(map(len, value.split(".")))
    if len(value) > HOST_LIMIT or longest > LABEL_LIMIT:
        refuse(
            key,
            value,
            f"a host has at most {HOST_LIMIT} characters, {LABEL_LIMIT} between dots; "
            f"the longest part here has {longest}",
        )
    if not (_HOST.fullmatch(value) or (local and _LOCAL_HOST.fullmatch(value))):
        refuse(
            key,
            value,
            "a lower-case host is expected, such as success.example.com, "
            "without scheme, port, path or trailing slash",
        )
    return value


def origin(key: str, value: str, _stack: StackIdentity) -> str:
    """Return an exact web origin (RFC 6454): a scheme, a host, and a port unless it is the default.

    Browsers compare origins as texts, so any other spelling of an origin would never match.
    """
    match = _ORIGIN.fullmatch(value)
    if (
        not match
        or not (_HOST.fullmatch(match[2]) or match[2] == "localhost")
        or int(match[3] or 0) > MAX_PORT
    ):
        refuse(
            key,
            value,
            "an exact origin is expected, such as https://www.example.com: "
            "scheme and host, no path, no trailing slash, no '*'",
        )
    if match[3] == ("443" if match[1] == "https" else "80"):
        refuse(key, value, f"browsers leave :{match[3]} out of an {match[1]} origin")
    return value


def account_id(key: str, value: str, _stack: StackIdentity) -> str:
    """Return the id of an AWS account."""
    if not re.fullmatch(r"[0-9]{12}", value):
        refuse(key, value, "an AWS account id has twelve digits")
    return value


def neon_region(key: str, value: str, stack: StackIdentity) -> str:
    """Return Neon's name of a region; an empty value follows the region of AWS."""
    offered = ", ".join(f"aws-{name}" for name in NEON_REGIONS)
    if not value and stack.aws_region not in NEON_REGIONS:
        refuse(
            key,
            value,
            f"Neon is not in aws:region {stack.aws_region}, so it must be chosen from {offered}",
        )
    chosen = value or f"aws-{stack.aws_region}"
    if not chosen.startswith("aws-") or chosen.removeprefix("aws-") not in NEON_REGIONS:
        refuse(key, value, f"Neon offers {offered}")
    return chosen


def ssl_mode(key: str, value: str, stack: StackIdentity) -> str:
    """Return an sslmode of libpq (PostgreSQL documentation, libpq, SSL Support).

    Only modes that always encrypt are allowed. The local server has no TLS, so a local stack may
    also use `prefer`.
    """
    allowed = ("require", "verify-full", *(("prefer",) if stack.local else ()))
    if value not in allowed:
        refuse(key, value, f"{', '.join(allowed)} are allowed")
    return value


def time_zone(key: str, value: str, _stack: StackIdentity) -> str:
    """Return the name of a time zone (IANA time zone database)."""
    # The database has entries that are no zones of a place: the machine's own, and none.
    if value != UTC and value not in (
        known := zoneinfo.available_timezones() - {"localtime", "Factory"}
    ):
        near = difflib.get_close_matches(value, known, 1)
        hint = f"did you mean {near[0]}?" if near else "such as Europe/Berlin"
        refuse(key, value, f"the name of an IANA time zone is expected, {hint}")
    return value


# Rules outside single keys


def stack_name(stack: str) -> str:
    """Return a stack's name if Pulumi accepts it."""
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", stack) or len(stack) > STACK_NAME_LIMIT:
        raise UserError(
            f"stack name {stack!r}: 1 to {STACK_NAME_LIMIT} letters, digits, '-', '_' and '.' "
            "are allowed"
        )
    return stack


def aws_region(value: str) -> str:
    """Return a region if AWS could have one of this name."""
    if not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-[0-9]", value):
        refuse("aws:region", value, "an AWS region such as us-east-1 is expected")
    return value


def check_production(key: str, value: str, reason: str, *, stack: str, protect: bool) -> None:
    """Raise `UserError` for a value that production must not have.

    Production is every stack that protects its data, and the stack `prod` at any time.
    """
    if value and (protect or stack == PRODUCTION):
        where = "while protect is true" if protect else f"on stack {PRODUCTION}"
        refuse(key, value, f"{reason}; leave it empty {where}")


def check_autoscaling(min_cu: float, max_cu: float) -> None:
    """Raise `UserError` unless Neon can scale a compute between these limits."""
    if max_cu > AUTOSCALING_LIMIT and min_cu != max_cu:
        refuse(
            "neonMaxCu",
            max_cu,
            f"Neon scales up to {AUTOSCALING_LIMIT}, and a larger compute has a fixed size: "
            "set neonMinCu to the same value",
        )
    if not min_cu <= max_cu <= min_cu + AUTOSCALING_RANGE:
        refuse(
            "neonMaxCu",
            max_cu,
            f"it must be neonMinCu ({min_cu:g}) or up to {AUTOSCALING_RANGE} more",
        )


def check_suspension(seconds: int, *, of_project: bool) -> None:
    """Raise `UserError` for a compute that is never suspended, where the provider loses that."""
    if seconds == ALWAYS_ON and of_project:
        refuse(
            "neonSuspendSeconds",
            seconds,
            f"the provider for Neon drops {ALWAYS_ON} from the settings of a project, so that its "
            "compute would be suspended after five minutes; choose up to 604800 (a week), or turn "
            "off scale to zero at Neon",
        )
