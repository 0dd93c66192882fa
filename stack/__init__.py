"""The `stack` command: `cli/` parses and prints, `local/` is the local cloud, `report/` compares commits."""
