"""Local HTTP APIs of API Gateway: events, routes, limits, throttling, the access log."""
