"""Local Lambda: functions with versions and aliases, invoked in execution environments."""
