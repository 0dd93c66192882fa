"""Ends the supervisor's children when the supervisor has ended, whatever ended it.

Runs as a process of its own (`python -I -S guard.py`, standard library only) in a session of its
own, started by `Guard` in processes.py. Its input is a pipe of which only the supervisor has the
other end. A line `+PID SIGNAL` registers a child that leads a process group, `-PID` removes it; a
guard that replaces another one gets the lines of the children as its arguments.
The kernel closes the pipe at any death of the supervisor, `kill -9` included; then the guard ends
the children that are still registered, and exits.
"""

import itertools
import os
import signal
import sys
import time
from collections.abc import Mapping
from typing import NamedTuple

GRACE_S = 0.5
"""Seconds that a signal has to work before the next one: all children end within about a second."""

IMMEDIATE_SHUTDOWN_S = 5.0
"""Seconds for Postgres's immediate shutdown: after as many it sends SIGKILL to its backends
(SIGKILL_CHILDREN_AFTER_SECS in postmaster.c)."""


class Child(NamedTuple):
    """A registered child.

    stop: number of the signal that asks it to end. start_id: see `start_id`; None if it had ended
    when it was registered.
    """

    stop: int
    start_id: str | None


def start_id(pid: int) -> str | None:
    """Return what distinguishes a process from a later one of the same pid; None if it has ended.

    This is its start time in clock ticks since boot, or "" where there is no /proc (macOS).
    """
    if not os.path.isdir("/proc/self"):  # noqa: PTH112 - pathlib triples this process's start time
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return None
        except PermissionError:
            pass
        return ""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:  # noqa: PTH123 - as above
            # Field 2 is the command's name in parentheses, which may hold blanks and parentheses.
            # After the last ")" come state (field 3) and the others; the start time is field 22.
            state, *fields = stat.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state == b"Z" else fields[18].decode()


def signals_before_kill(stop: int) -> list[tuple[int, float]]:
    """Return the signals to send before SIGKILL, each with the seconds that it has to work.

    Only Postgres registers SIGINT, its fast shutdown. Its next signal is SIGQUIT, its immediate
    shutdown, which loses no commit and ends the backends. SIGKILL would not reach them, because
    each leads a session of its own.
    """
    if stop == signal.SIGKILL:
        return []
    if stop == signal.SIGINT:
        return [(signal.SIGINT, GRACE_S), (signal.SIGQUIT, IMMEDIATE_SHUTDOWN_S)]
    return [(stop, GRACE_S)]


def send(group: int, number: int) -> None:
    """Send a signal to a process group, and SIGCONT after it.

    A process that is stopped by SIGSTOP (a frozen Lambda environment) receives no signal but
    SIGKILL until it is continued.
    """
    try:
        os.killpg(group, number)
        if number != signal.SIGKILL:
            os.killpg(group, signal.SIGCONT)
    except (ProcessLookupError, PermissionError):
        pass


def end(children: Mapping[int, Child]) -> None:
    """End the children's process groups, all at the same time; return when all have ended.

    Each group gets its signals one after the other, and SIGKILL as the last. A pid that belongs to
    another process by now is left alone.
    """
    remaining = {pid: iter(signals_before_kill(child.stop)) for pid, child in children.items()}
    next_signal_at = dict.fromkeys(remaining, 0.0)
    while remaining:
        for pid in list(remaining):
            found = start_id(pid)
            if found is not None and found != children[pid].start_id:
                del remaining[pid]  # the child has ended and the system has reused its pid
                continue
            if found is not None and time.monotonic() < next_signal_at[pid]:
                continue
            # SIGKILL follows the last signal. It also goes to the group of a child that has ended:
            # grandchildren may still run in it, and keep the group's number from being reused.
            number, grace = (signal.SIGKILL, 0.0)
            if found is not None:
                number, grace = next(remaining[pid], (signal.SIGKILL, 0.0))
            send(pid, number)
            next_signal_at[pid] = time.monotonic() + grace
            if number == signal.SIGKILL:
                del remaining[pid]
        time.sleep(0.005)


def main() -> None:
    """Read registrations until the pipe is closed, then end the registered children."""
    # The guard has to outlive the supervisor, also when both are sent the same signal.
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    children: dict[int, Child] = {}
    for line in itertools.chain(sys.argv[1:], sys.stdin):
        words = line.split()
        if line.startswith("+"):
            pid = int(words[0])
            children[pid] = Child(int(words[1]), start_id(pid))
        else:
            children.pop(-int(words[0]), None)
    end(children)


if __name__ == "__main__":
    main()
