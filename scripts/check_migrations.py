"""Checks that the files of the migrations are one history, without running them."""

import sys

from service.migration_files import VERSIONS, faults


def main() -> int:
    found = faults(VERSIONS)
    for fault in found:
        print(f"error: {fault}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
