"""Why there is no insight by a model."""

from typing import Literal

Reason = Literal[
    "not_configured",
    "circuit_open",
    "no_time",
    "timeout",
    "unreachable",
    "unauthorized",
    "rate_limited",
    "refused_request",
    "server_error",
    "invalid_response",
    "refusal",
    "incomplete",
    "empty",
    "invalid_json",
    "invalid_answer",
    "unknown_figure",
    "number_of_its_own",
]
"""As the log has it. The last eight are answers that are of no use; those before `invalid_response` are of an endpoint that gave none."""


class InsightError(Exception):
    """`status`: of the endpoint's HTTP answer, where there was one. `endpoint`: asking again soon would not help."""

    def __init__(
        self, reason: Reason, *, status: int | None = None, endpoint: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.endpoint = endpoint
