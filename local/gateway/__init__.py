"""API Gateway's HTTP API on one machine: events, routes, limits, throttling, the access log."""

from local.gateway.app import HttpApi
from local.gateway.http_api import ApiConfig, RouteConfig

__all__ = ["ApiConfig", "HttpApi", "RouteConfig"]
