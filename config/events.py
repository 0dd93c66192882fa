"""The events that a deployment sends to the functions; docs/own-service.md describes them."""

MIGRATION_EVENT = "{}"
HEALTH_EVENT = '{"source": "health"}'
"""Sent to a new version before it gets requests. An error keeps the previous version in service."""
