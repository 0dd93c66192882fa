"""The `stack` command: parses arguments and prints."""

import sys

# Set before other modules are imported: without bytecode all of it starts three times slower.
sys.dont_write_bytecode = False
