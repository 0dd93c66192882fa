"""What a stack costs a month: at rest, and with as many requests as its throttle lets in all month long.

Both loads follow from the configuration: nobody has to guess the traffic, and a change of it shows. What a request takes is assumed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stack.report import prices
from stack.report.compare import Snapshot

HOURS = 730  # of a month, as the vendors reckon
REQUEST_SECONDS = 0.1
REQUEST_LOG_BYTES = {"access log": 400, "function": 600}
"""Assumptions on one request: seconds of the function that are charged, and bytes of log."""

STAGE = "aws:apigatewayv2/stage:Stage"
FUNCTION = "aws:lambda/function:Function"
PERMISSION = "aws:lambda/permission:Permission"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
PROJECT, ENDPOINT = "neon:index/project:Project", "neon:index/endpoint:Endpoint"
PRICED = {STAGE, FUNCTION, LOG_GROUP, PROJECT, ENDPOINT}
NOTHING = (
    *(
        "aws:apigatewayv2/",
        "aws:iam/",
        "aws:lambda/alias:",
        "aws:lambda/layerVersion:",
        "aws:lambda/permission:",
        "aws:lambda/invocation:",
    ),
    *("neon:index/branch:", "vercel:", "pulumi:providers:"),
)
"""Types that are free themselves. Vercel's price is that of its seats, and a branch is charged by what it stores."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """Dollars a month of one part; basis says in a few words what they are reckoned from."""

    part: str
    basis: str
    at_rest: float
    busy: float


def monthly(snapshot: Snapshot) -> list[Line]:
    resources = snapshot["resources"]
    requests = sum(_rate(stage) for stage in _of(resources, STAGE)) * HOURS * 3600
    return [*_aws(resources, requests), *_neon(resources)]


def unpriced(snapshot: Snapshot) -> list[str]:
    """Types that the table of prices does not have."""
    found = {resource["type"] for resource in snapshot["resources"]}
    return sorted(type_ for type_ in found if type_ not in PRICED and not type_.startswith(NOTHING))


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
    memory, architecture = (
        function.get("memorySize", 128),
        (function.get("architectures") or ["x86_64"])[0],
    )
    duration = requests * REQUEST_SECONDS * memory / 1024 * prices.LAMBDA_GB_SECOND[architecture]
    return Line(
        part=f"Lambda {function['name']}",
        basis=f"{memory} MB, {architecture}, {REQUEST_SECONDS * 1000:.0f} ms a request",
        at_rest=0,
        busy=requests * prices.LAMBDA_REQUEST + duration,
    )


def _logs(
    resources: Sequence[Mapping[str, Any]], serving: set[str], requests: float
) -> Iterator[Line]:
    for group in _of(resources, LOG_GROUP):
        name, days = str(group.get("name")), group.get("retentionInDays") or 0
        served = name.rpartition("/")[2] in serving
        if not served and "vendedlogs" not in name:
            continue
        gigabytes = requests * REQUEST_LOG_BYTES["function" if served else "access log"] / 1e9
        kept = gigabytes * days * 24 / HOURS * prices.LOG_COMPRESSION
        yield Line(
            part=f"Logs {name}",
            basis=f"{gigabytes:.0f} GB in, kept {days} days",
            at_rest=0,
            busy=gigabytes * prices.LOG_GB_INGESTED + kept * prices.LOG_GB_MONTH,
        )


def _neon(resources: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    for project in _of(resources, PROJECT):
        yield _compute(str(project.get("name")), project.get("defaultEndpointSettings") or {})
    for endpoint in _of(resources, ENDPOINT):
        yield _compute(f"endpoint of {endpoint.get('branchId')}", endpoint)


def _compute(name: str, settings: Mapping[str, Any]) -> Line:
    least, most = (
        float(settings.get(f"autoscalingLimit{end}Cu") or 0.25) for end in ("Min", "Max")
    )
    never_sleeps = settings.get("suspendTimeoutSeconds") == -1
    return Line(
        part=f"Neon {name}",
        basis=f"{least:g} to {most:g} compute units, {'never suspended' if never_sleeps else 'suspended when idle'}",
        at_rest=least * HOURS * prices.NEON_CU_HOUR if never_sleeps else 0,
        busy=most * HOURS * prices.NEON_CU_HOUR,
    )
