"""The configuration of a stack: its keys, their rules, the physical names and the environment that follow from it."""
