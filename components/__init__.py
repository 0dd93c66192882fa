"""The components that `__main__.py` is composed of, one in each file."""
