"""The flags of `stack up`, which the command and the supervisor share."""

import argparse


def up_flags() -> argparse.ArgumentParser:
    """Return a parser for `parents=` of another one."""
    flags = argparse.ArgumentParser(add_help=False)
    flags.add_argument(
        "--port",
        type=int,
        metavar="N",
        help="the API's port; the site gets N+1 (default: free ones, kept between runs)",
    )
    flags.add_argument(
        "--no-frontend",
        dest="frontend",
        action="store_false",
        help="run without the dashboard; no Node is needed",
    )
    flags.add_argument("--watch", action="store_true", help="serve a saved change at once")
    flags.add_argument(
        "--no-freeze",
        dest="freeze",
        action="store_false",
        help="let idle functions run on, for a debugger",
    )
    flags.add_argument(
        "--strict-concurrency",
        action="store_true",
        help="throttle above the concurrency, as Lambda does; do not wait",
    )
    flags.add_argument(
        "--allow-data-loss",
        action="store_true",
        help="do not ask before the first deployment deletes local data, such as the database",
    )
    return flags
