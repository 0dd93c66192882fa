"""Processes, ports, files and servers of this machine; knows nothing of resources."""
