"""`make bench` runs every benchmark, or those that are named, one after the other."""

import importlib
import sys

BENCHMARKS = {
    "bundle": "build of the bundle: full, code changed, unchanged; sizes",
    "init": "init of the function beside that of a bare handler",
    "service": "every read and the bulk writes at 1,000 to 1,000,000 accounts, with growth",
    "requests": "one request through the local cloud, beside the handler called directly",
    "growth": "memory of an execution environment over its requests",
    "up": "evaluation of the program, warm `stack up`, a saved change",
}


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(
            f"no benchmark {', '.join(unknown)}; there are:",
            *(f"  {name:<12} {text}" for name, text in BENCHMARKS.items()),
            sep="\n",
        )
        return 2
    for name in names or BENCHMARKS:
        print(f"\n## {name}: {BENCHMARKS[name]}\n", flush=True)
        sys.argv = [f"benchmarks.{name}"]  # flags are for `python -m benchmarks.NAME`
        importlib.import_module(f"benchmarks.{name}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
