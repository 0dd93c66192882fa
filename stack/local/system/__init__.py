"""Processes, ports, files and servers on this machine. Knows nothing of resources."""
