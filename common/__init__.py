"""What every package of the project may import: the error for users, and reading YAML files."""
