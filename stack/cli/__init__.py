"""The `stack` command: arguments and printing, no more."""

import sys

sys.dont_write_bytecode = (
    False  # before anything else is imported: without bytecode all of it starts three times slower
)
