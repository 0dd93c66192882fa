"""`make bench`: every benchmark, or those that are named, one after the other."""

import importlib
import sys

BENCHMARKS = {
    "bundle": "build of the bundle: full, code changed, nothing to do; sizes",
    "init": "init of the function against a bare handler",
    "local_cloud": "what gateway and runtime client add to a handler; throughput",
    "service": "the whole service at 1,000 to 1,000,000 accounts, against what it may take",
    "requests": "a request through gateway, runtime client, service and database, beside the handler alone",
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
