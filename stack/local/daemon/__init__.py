"""The supervisor process, which runs the local cloud, and the commands' connection to it."""
