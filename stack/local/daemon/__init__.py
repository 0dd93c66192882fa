"""The supervisor: the process that runs the local cloud, and how commands reach it."""
