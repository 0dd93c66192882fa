"""`python -m benchmarks.bundle` times the build of the bundle and prints its sizes.

It builds a copy of this project's service, for Lambda's default (arm64, Python 3.13) and for this
machine. "full" starts with warm package caches and nothing else, and includes the smoke test on a
host build.
"""

import shutil
import statistics
import tempfile
import time
from pathlib import Path

from bundle import Bundle, Target, build

ROOT = Path(__file__).parent.parent
FULL, CODE, NOTHING = 3, 5, 20


def seconds(root: Path, target: Target) -> tuple[float, Bundle]:
    start = time.perf_counter()
    bundle = build(root, target)
    return time.perf_counter() - start, bundle


def measure(root: Path, target: Target) -> None:
    build(root, target)  # warms uv's cache
    full: list[float] = []
    for _ in range(FULL):
        shutil.rmtree(root / ".local")
        full.append(seconds(root, target)[0])
    changed: list[float] = []
    for number in range(CODE):
        (root / "service" / "changed.py").write_text(f"NUMBER = {number}\n", encoding="utf-8")
        changed.append(seconds(root, target)[0])
    time.sleep(2.5)  # files this young are hashed again each time
    nothing = [seconds(root, target)[0] for _ in range(NOTHING)]
    bundle = seconds(root, target)[1]
    for what, times in {"full": full, "code changed": changed, "nothing to do": nothing}.items():
        print(
            f"{what:<14} median {statistics.median(times):7.3f} s   worst "
            f"{max(times):7.3f} s   of {len(times)}"
        )
    print(f"{bundle.report}\n")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bundle-benchmark-") as directory:
        root = Path(directory)
        shutil.copytree(ROOT / "service", root / "service")
        (root / "requirements").mkdir()
        shutil.copy(ROOT / "requirements" / "service.txt", root / "requirements" / "service.txt")
        for target in (Target(architecture="arm64", python="3.13"), Target.host()):
            measure(root, target)


if __name__ == "__main__":
    main()
