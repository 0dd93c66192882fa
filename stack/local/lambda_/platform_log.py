"""The records that Lambda itself writes to a function's log, in its text format."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime


def init_start(runtime: str) -> str:
    return f"INIT_START Runtime Version: {runtime}"


def init_report(seconds: float, *, phase: str, status: str, error_type: str = "") -> str:
    fields = [
        f"INIT_REPORT Init Duration: {seconds * 1000:.2f} ms",
        f"Phase: {phase}",
        f"Status: {status}",
    ]
    return "\t".join(fields + ([f"Error Type: {error_type}"] if error_type else []))


def start(request_id: str, version: str) -> str:
    return f"START RequestId: {request_id} Version: {version}"


def end(request_id: str) -> str:
    return f"END RequestId: {request_id}"


def timed_out(seconds: float) -> str:
    return f"Task timed out after {seconds:.2f} seconds"


def timeout_record(timestamp: float, request_id: str, message: str) -> str:
    """Return the record of a timeout. `timestamp`: seconds since the epoch."""
    iso = datetime.fromtimestamp(timestamp, UTC).isoformat(timespec="milliseconds")
    return f"{iso.replace('+00:00', 'Z')} {request_id} {message}"


def exit_reason(status: int | None) -> str:
    """Return why a process ended. `status`: subprocess's returncode (negative: a signal)."""
    if not status:
        return "Runtime exited without providing a reason"
    names = {9: "killed", 11: "segmentation fault", 15: "terminated", 6: "aborted"}
    reason = f"exit status {status}" if status > 0 else f"signal: {names.get(-status, -status)}"
    return f"Runtime exited with error: {reason}"


@dataclass(frozen=True, kw_only=True)
class Report:
    """The REPORT record of one invocation.

    init_s: only in an environment's first invocation. status: only when the platform ended it.
    """

    request_id: str
    duration_s: float
    memory_size_mb: int
    memory_used_mb: int
    init_s: float | None = None
    status: str = ""
    error_type: str = ""

    @property
    def billed_ms(self) -> int:
        """Duration and init, rounded up to 1 ms, as AWS bills since August 2025."""
        return math.ceil(round((self.duration_s + (self.init_s or 0.0)) * 1000, 2))

    def __str__(self) -> str:
        fields = [
            f"REPORT RequestId: {self.request_id}",
            f"Duration: {self.duration_s * 1000:.2f} ms",
            f"Billed Duration: {self.billed_ms} ms",
            f"Memory Size: {self.memory_size_mb} MB",
            f"Max Memory Used: {self.memory_used_mb} MB",
        ]
        if self.init_s is not None:
            fields.append(f"Init Duration: {self.init_s * 1000:.2f} ms")
        if self.status:
            fields.append(f"Status: {self.status}")
        if self.error_type:
            fields.append(f"Error Type: {self.error_type}")
        return "\t".join(fields)
