"""The configuration of an HTTP API; it determines the route of a request and its throttling."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from stack.local.apigateway.access_log import AccessLogFormat
from stack.local.apigateway.routes import Router
from stack.local.apigateway.throttle import TokenBucket
from stack.local.lambda_.invocation import Invocation

MAX_TIMEOUT_MS = 30_000
"""The longest integration timeout of an HTTP API (API Gateway's quotas)."""


@dataclass(frozen=True, kw_only=True)
class RouteConfig:
    """A route and its Lambda integration.

    key: `$default`, `GET /x`, `ANY /x/{id}`, `GET /{proxy+}`.
    invoke: takes the event and the value of X-Amzn-Trace-Id; cancelled after `timeout_ms`.
    rate: requests a second; like `burst` it overrides the stage's.
    """

    key: str
    invoke: Callable[[bytes, str], Awaitable[Invocation]]
    timeout_ms: int = MAX_TIMEOUT_MS
    rate: float | None = None
    burst: int | None = None


@dataclass(frozen=True, kw_only=True)
class ApiConfig:
    """An API with its only stage.

    rate: requests a second; without it and `burst` there is no throttling.
    access_log: takes a line in `access_log_format` for each request.
    """

    api_id: str
    account_id: str
    domain: str
    routes: Sequence[RouteConfig]
    stage: str = "$default"
    rate: float | None = None
    burst: int | None = None
    access_log: Callable[[str], None] | None = None
    access_log_format: str = ""


class ConfiguredApi:
    """A parsed `ApiConfig`. Raises ValueError for a route key that AWS would refuse."""

    def __init__(self, config: ApiConfig) -> None:
        self.config = config
        self.log_format = AccessLogFormat(config.access_log_format)
        self._router = Router({route.key: route for route in config.routes})
        self._stage_bucket = _bucket(config.rate, config.burst)
        self._route_buckets = {
            route.key: _bucket(
                config.rate if route.rate is None else route.rate,
                config.burst if route.burst is None else route.burst,
            )
            for route in config.routes
            if (route.rate, route.burst) != (None, None)
        }

    def route(self, method: str, path: str) -> tuple[RouteConfig, dict[str, str]] | None:
        """Return the route for a decoded path, and the path parameters; None without a route.

        A stage with a name is the first segment of the path.
        """
        if self.config.stage != "$default":
            prefix = f"/{self.config.stage}"
            if path != prefix and not path.startswith(f"{prefix}/"):
                return None
            path = path.removeprefix(prefix) or "/"
        return self._router.find(method, path)

    def admits(self, route: RouteConfig) -> bool:
        """Whether the throttling of the route, or of the stage, lets another request pass now."""
        bucket = self._route_buckets.get(route.key, self._stage_bucket)
        return bucket is None or bucket.take()


def _bucket(rate: float | None, burst: int | None) -> TokenBucket | None:
    return None if rate is None and burst is None else TokenBucket(rate or 0, burst or 0)
