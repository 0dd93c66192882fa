"""The events that the program sends to the functions; docs/own-service.md describes them."""

MIGRATION_EVENT = "{}"
HEALTH_EVENT = '{"source": "health"}'
"""Sent to a new version before it gets requests. An error keeps the previous version in service."""
UPKEEP_EVENT = '{"source": "upkeep"}'
"""Sent to the upkeep function by its schedule."""
