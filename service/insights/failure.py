"""The reasons why there is no insight by a model."""

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
    "invalid_output",
    "unknown_figure",
    "unsupported_number",
]
"""As in the log. Up to `server_error` there is no response, or one without a completion; from
`refusal` on the output cannot be used."""


class InsightError(Exception):
    """`status` is that of the endpoint's HTTP response, if there was one.

    `endpoint` says that the endpoint failed, which counts for the circuit breaker.
    """

    def __init__(
        self, reason: Reason, *, status: int | None = None, endpoint: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.endpoint = endpoint
