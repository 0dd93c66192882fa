"""The `stack` command.

`cli/` parses arguments and prints, `local/` is the local cloud, `report/` compares two commits.
"""
