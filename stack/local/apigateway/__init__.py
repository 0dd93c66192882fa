"""API Gateway's HTTP API on one machine: events, routes, limits, throttling, the access log."""
