"""The `stack` command: arguments and printing, no more."""
