"""The program's components: one a file, in the order of the picture in `__main__.py`."""
