"""Ends the supervisor's children when the supervisor is gone, however it went.

Runs as a process of its own (`python -I -S guard.py`, standard library only), in a session of its own. Its input is a pipe that
only the supervisor holds: `+PID SIGNAL` registers a child that leads a process group, `-PID` takes it off. The kernel closes the
pipe on any death of the supervisor, `kill -9` included; then the guard ends what is still registered, and itself.
"""

import os
import signal
import sys
import time
from collections.abc import Mapping
from typing import NamedTuple

GRACE_S = 0.5
"""How long a signal has to work before the next one, so that nothing is left after a second."""
IMMEDIATE_S = 5.0
"""How long Postgres may take over an immediate shutdown, at whose end its children are killed by itself."""


class Child(NamedTuple):
    stop: int
    mark: str | None


def look(pid: int) -> str | None:
    """A mark that tells the process from a later one of the same pid (empty where there is no /proc); None when it has ended."""
    if not os.path.isdir("/proc/self"):  # noqa: PTH112 - pathlib would triple the start of this process
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return None
        except PermissionError:
            pass
        return ""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:  # noqa: PTH123 - as above
            state, *fields = stat.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state == b"Z" else fields[18].decode()


def steps(stop: int) -> list[tuple[int, float]]:
    """What a child is sent before SIGKILL, with the seconds that each has to work. SIGINT means Postgres, whose SIGQUIT loses no commit."""
    if stop == signal.SIGKILL:
        return []
    return (
        [(signal.SIGINT, GRACE_S), (signal.SIGQUIT, IMMEDIATE_S)]
        if stop == signal.SIGINT
        else [(stop, GRACE_S)]
    )


def send(group: int, number: int) -> None:
    """Signals a process group; a frozen one is woken, because it would keep all but SIGKILL for later."""
    try:
        os.killpg(group, number)
        if number != signal.SIGKILL:
            os.killpg(group, signal.SIGCONT)
    except (ProcessLookupError, PermissionError):
        pass


def end(children: Mapping[int, Child]) -> None:
    """Ends the groups side by side and returns when all have gone or were killed; a pid that now is another process's is left alone."""
    plans = {pid: iter(steps(child.stop)) for pid, child in children.items()}
    due = dict.fromkeys(plans, 0.0)
    while plans:
        for pid in list(plans):
            mark = look(pid)
            if mark is not None and mark != children[pid].mark:
                del plans[pid]
                continue
            if mark is not None and time.monotonic() < due[pid]:
                continue
            number, grace = (
                next(plans[pid], (signal.SIGKILL, 0.0))
                if mark is not None
                else (signal.SIGKILL, 0.0)
            )
            send(pid, number)
            due[pid] = time.monotonic() + grace
            if number == signal.SIGKILL:
                del plans[pid]
        time.sleep(0.005)


def main() -> None:
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    children: dict[int, Child] = {}
    for line in sys.stdin:
        words = line.split()
        if line.startswith("+"):
            pid = int(words[0])
            children[pid] = Child(int(words[1]), look(pid))
        else:
            children.pop(-int(words[0]), None)
    end(children)


if __name__ == "__main__":
    main()
