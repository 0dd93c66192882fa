import sys

from benchmarks.service import main

main(sys.argv[1:])
