"""Calculates a stack's cost a month: at rest, and with the most requests that its throttle admits.

Both loads follow from the configuration, so no traffic has to be estimated. The duration of a
request and its log are assumptions.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from stack.local.scheduler.expression import parse
from stack.report import prices
from stack.report.compare import Snapshot

HOURS = 730  # of a month, as AWS and Neon calculate
REQUEST_SECONDS = 0.1
REQUEST_LOG_BYTES = {"access log": 400, "function": 600}
"""Assumptions on one request: seconds of the function that are charged, and bytes of log."""
SCHEDULED_SECONDS = 10
"""Assumption on one invocation by a schedule."""

STAGE = "aws:apigatewayv2/stage:Stage"
FUNCTION = "aws:lambda/function:Function"
PERMISSION = "aws:lambda/permission:Permission"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
PROJECT, ENDPOINT = "neon:index/project:Project", "neon:index/endpoint:Endpoint"
SCHEDULE = "aws:scheduler/schedule:Schedule"
PRICED = {STAGE, FUNCTION, LOG_GROUP, SCHEDULE, PROJECT, ENDPOINT}
FREE = (
    *(
        "aws:apigatewayv2/",
        "aws:iam/",
        "aws:lambda/alias:",
        "aws:lambda/layerVersion:",
        "aws:lambda/permission:",
        "aws:lambda/invocation:",
        "aws:scheduler/scheduleGroup:",
    ),
    *("neon:index/branch:", "vercel:", "pulumi:providers:"),
)
"""Prefixes of types without a price of their own. Vercel charges seats, Neon a branch's storage."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """US dollars a month for one part. basis: what they are calculated from, in a few words."""

    part: str
    basis: str
    at_rest: float
    busy: float


def monthly(snapshot: Snapshot) -> list[Line]:
    """Return the parts of the stack that have a price."""
    resources = snapshot["resources"]
    requests = sum(_rate(stage) for stage in _of(resources, STAGE)) * HOURS * 3600
    return [*_aws(resources, requests), *_schedules(resources), *_neon(resources)]


def unpriced(snapshot: Snapshot) -> list[str]:
    """Return the types that are neither priced nor known to be free."""
    found = {resource["type"] for resource in snapshot["resources"]}
    return sorted(type_ for type_ in found if type_ not in PRICED and not type_.startswith(FREE))


def _of(resources: Sequence[Mapping[str, Any]], type_: str) -> list[Mapping[str, Any]]:
    return [resource["inputs"] for resource in resources if resource["type"] == type_]


def _rate(stage: Mapping[str, Any]) -> float:
    return float((stage.get("defaultRouteSettings") or {}).get("throttlingRateLimit") or 0)


def _aws(resources: Sequence[Mapping[str, Any]], requests: float) -> Iterator[Line]:
    if not requests:
        return
    tier = min(requests, prices.HTTP_API_TIER)
    gateway = tier * prices.HTTP_API_REQUEST + (requests - tier) * prices.HTTP_API_REQUEST_ABOVE
    yield Line(
        part="HTTP API", basis=f"{requests / 1e6:.1f} million requests", at_rest=0, busy=gateway
    )
    serving = {
        permission["function"]
        for permission in _of(resources, PERMISSION)
        if "apigateway" in str(permission.get("principal"))
    }
    for function in _of(resources, FUNCTION):
        if function.get("name") in serving:
            yield _function(function, requests)
    yield from _logs(resources, serving, requests)


def _function(function: Mapping[str, Any], requests: float) -> Line:
    memory, architecture = _size(function)
    return Line(
        part=f"Lambda {function['name']}",
        basis=f"{memory} MB, {architecture}, {REQUEST_SECONDS * 1000:.0f} ms a request",
        at_rest=0,
        busy=_invocations(function, requests, REQUEST_SECONDS),
    )


def _size(function: Mapping[str, Any]) -> tuple[int, str]:
    return function.get("memorySize", 128), (function.get("architectures") or ["x86_64"])[0]


def _invocations(function: Mapping[str, Any], number: float, seconds: float) -> float:
    memory, architecture = _size(function)
    duration = number * seconds * memory / 1024 * prices.LAMBDA_GB_SECOND[architecture]
    return number * prices.LAMBDA_REQUEST + duration


def _schedules(resources: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    functions = {
        f"${{{resource['name']}.arn}}": resource["inputs"]
        for resource in resources
        if resource["type"] == FUNCTION
    }
    for schedule in _of(resources, SCHEDULE):
        times = _times_a_month(schedule["scheduleExpression"])
        price, basis = times * prices.SCHEDULER_INVOCATION, f"{times:.0f} invocations"
        if function := functions.get((schedule.get("target") or {}).get("arn", "")):
            price += _invocations(function, times, SCHEDULED_SECONDS)
            basis += f" of {_size(function)[0]} MB, {SCHEDULED_SECONDS} s each"
        yield Line(part=f"Schedule {schedule['name']}", basis=basis, at_rest=price, busy=price)


def _times_a_month(expression: str) -> float:
    start = time = datetime(2027, 1, 1, tzinfo=UTC)
    end, number = start + timedelta(days=31), 0
    next_time = parse(expression, "UTC", start)
    while (time := next_time(time)) is not None and time <= end:
        number += 1
    return number * HOURS / (31 * 24)


def _logs(
    resources: Sequence[Mapping[str, Any]], serving: set[str], requests: float
) -> Iterator[Line]:
    for group in _of(resources, LOG_GROUP):
        name, days = str(group.get("name")), group.get("retentionInDays") or 0
        served = name.rpartition("/")[2] in serving
        if not served and "vendedlogs" not in name:
            continue
        gigabytes = requests * REQUEST_LOG_BYTES["function" if served else "access log"] / 1e9
        # Stored in the steady state: the logs of the retention time, compressed.
        stored = gigabytes * days * 24 / HOURS * prices.LOG_COMPRESSION
        yield Line(
            part=f"Logs {name}",
            basis=f"{gigabytes:.0f} GB in, kept {days} days",
            at_rest=0,
            busy=gigabytes * prices.LOG_GB_INGESTED + stored * prices.LOG_GB_MONTH,
        )


def _neon(resources: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    for project in _of(resources, PROJECT):
        yield _compute(str(project.get("name")), project.get("defaultEndpointSettings") or {})
    for endpoint in _of(resources, ENDPOINT):
        yield _compute(f"endpoint of {endpoint.get('branchId')}", endpoint)


def _compute(name: str, settings: Mapping[str, Any]) -> Line:
    minimum, maximum = (
        float(settings.get(f"autoscalingLimit{end}Cu") or 0.25) for end in ("Min", "Max")
    )
    never_suspended = settings.get("suspendTimeoutSeconds") == -1
    suspension = "never suspended" if never_suspended else "suspended when idle"
    return Line(
        part=f"Neon {name}",
        basis=f"{minimum:g} to {maximum:g} compute units, {suspension}",
        at_rest=minimum * HOURS * prices.NEON_CU_HOUR if never_suspended else 0,
        busy=maximum * HOURS * prices.NEON_CU_HOUR,
    )
