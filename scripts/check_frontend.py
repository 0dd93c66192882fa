"""Checks format, lint and types of the dashboard: runs `npm run check` with the locked packages."""

import subprocess
import sys
from pathlib import Path

from common.environment import inherited
from common.errors import UserError
from stack.local.system.processes import Guard
from stack.local.vercel.builder import SiteBuilder

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    home = ROOT / ".local"
    guard = Guard(home / "check")
    guard.start()
    try:
        node = SiteBuilder(home / "site", guard).install(ROOT / "frontend", progress=print)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    finally:
        guard.close()
    environment = {
        **inherited(),
        "PATH": node.on_path(home / "site" / "bin"),
        "NEXT_TELEMETRY_DISABLED": "1",
    }
    return subprocess.run(
        [node.path, node.npm_cli, "run", "--silent", "check"],
        cwd=ROOT / "frontend",
        env=environment,
        check=False,
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
