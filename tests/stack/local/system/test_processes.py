"""Tests that children end with the supervisor, however it ends, and that nothing else is ended."""

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from stack.local.system.processes import Guard, Record, sweep
from tests.support.processes import becomes_true, is_gone
from tests.support.project_files import ROOT

SLEEP = (sys.executable, "-I", "-S", "-c", "import time; time.sleep(60)")
STUBBORN = ("/bin/sh", "-c", "trap '' TERM; echo ready; sleep 60")


@pytest.fixture
def guard(tmp_path: Path) -> Iterator[Guard]:
    guard = Guard(tmp_path / "run")
    guard.start()
    yield guard
    guard.close()


def guard_process(run: Path) -> psutil.Process:
    """Return the guard: the one child of this process without a record."""
    known = {int(path.stem) for path in run.glob("*.json")}
    return next(
        child
        for child in psutil.Process().children()
        if child.pid not in known and "guard.py" in " ".join(child.cmdline())
    )


class Supervisor:
    """A process that starts children, prints their pids, and then waits."""

    def __init__(self, run: Path, body: str) -> None:
        code = f"""if True:
            import json, os, signal, subprocess, sys, time
            from pathlib import Path
            from stack.local.system.processes import Guard
            guard = Guard(Path({str(run)!r}))
            guard.start()
            SLEEP, STUBBORN = {SLEEP!r}, {STUBBORN!r}
            pids = []
            {body}
            print(json.dumps(pids), flush=True)
            time.sleep(60)
        """
        self.process = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=ROOT
        )
        assert self.process.stdout is not None
        self.pids: list[int] = json.loads(self.process.stdout.readline())

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def test_children_end_within_a_second_of_a_killed_supervisor(tmp_path: Path) -> None:
    supervisor = Supervisor(
        tmp_path, "pids = [guard.spawn(SLEEP, what='a child').pid for _ in range(3)]"
    )
    assert not any(is_gone(pid) for pid in supervisor.pids)
    supervisor.kill()
    assert becomes_true(lambda: all(is_gone(pid) for pid in supervisor.pids), seconds=1)


def test_a_stopped_child_and_one_that_ignores_its_signal_end_as_well(tmp_path: Path) -> None:
    supervisor = Supervisor(
        tmp_path,
        """
            frozen = guard.spawn(SLEEP, what='frozen', stop=signal.SIGTERM)
            frozen.send_signal(signal.SIGSTOP)
            options = {'stop': signal.SIGTERM, 'stdout': subprocess.PIPE}
            stubborn = guard.spawn(STUBBORN, what='stubborn', **options)
            stubborn.stdout.readline()
            pids = [frozen.pid, stubborn.pid]
        """.strip(),
    )
    supervisor.kill()
    assert becomes_true(lambda: all(is_gone(pid) for pid in supervisor.pids), seconds=2)


def test_grandchildren_end_with_the_group_even_when_their_parent_has_ended(tmp_path: Path) -> None:
    supervisor = Supervisor(
        tmp_path,
        """
            command = ['/bin/sh', '-c', 'sleep 60 & echo $!']
            child = guard.spawn(command, what='a shell', stdout=subprocess.PIPE)
            pids = [int(child.stdout.readline())]
        """.strip(),
    )
    assert not is_gone(supervisor.pids[0])
    supervisor.kill()
    assert becomes_true(lambda: is_gone(supervisor.pids[0]), seconds=1)


def test_a_forgotten_child_is_left_alone(tmp_path: Path) -> None:
    supervisor = Supervisor(
        tmp_path,
        """
            pids = [guard.spawn(SLEEP, what=what).pid for what in ('registered', 'forgotten')]
            guard.forget(pids[1])
        """.strip(),
    )
    try:
        supervisor.kill()
        assert becomes_true(lambda: is_gone(supervisor.pids[0]))
        assert not is_gone(supervisor.pids[1])
    finally:
        os.kill(supervisor.pids[1], signal.SIGKILL)


def test_a_supervisor_killed_while_it_starts_children_leaves_none(tmp_path: Path) -> None:
    # A child does not run before the guard knows it, so it does not matter when.
    marker = f"time.sleep(61.{os.getpid()})"
    code = f"""if True:
        import sys, threading
        from pathlib import Path
        from stack.local.system.processes import Guard
        guard = Guard(Path({str(tmp_path)!r}))
        guard.start()
        print("ready", flush=True)
        command = [sys.executable, "-I", "-S", "-c", "import time; {marker}"]
        def start():
            for _ in range(20):
                guard.spawn(command, what="a child")
        for _ in range(2):
            threading.Thread(target=start).start()
    """
    for delay in (0.0, 0.002, 0.01, 0.03):
        supervisor = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=ROOT
        )
        assert supervisor.stdout is not None
        supervisor.stdout.readline()
        time.sleep(delay)
        supervisor.kill()
        supervisor.wait()
        supervisor.stdout.close()

    def left() -> list[list[str]]:
        return [
            process.info["cmdline"]
            for process in psutil.process_iter(["cmdline"])
            if any(marker in word for word in process.info["cmdline"] or ())
        ]

    assert becomes_true(lambda: not left(), seconds=2), left()


def test_closing_the_guard_ends_the_remaining_children(tmp_path: Path) -> None:
    guard = Guard(tmp_path)
    guard.start()
    child = guard.spawn(SLEEP, what="a child")
    guard.close()
    assert child.wait(timeout=5) == -signal.SIGKILL
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(RuntimeError, match="not running"):
        guard.spawn(SLEEP, what="a child")


def test_a_guard_process_that_was_killed_is_replaced_at_once_and_gets_all_children(
    tmp_path: Path,
) -> None:
    supervisor = Supervisor(
        tmp_path / "run",
        "pids = [guard.spawn(SLEEP, what='a child').pid, guard._process.pid]",
    )
    child, killed = supervisor.pids
    for _ in range(3):
        os.kill(killed, signal.SIGKILL)
        assert becomes_true(lambda: guards(supervisor.process.pid) not in ([], [killed]))  # noqa: B023
        (killed,) = guards(supervisor.process.pid)
    supervisor.kill()
    assert becomes_true(lambda: is_gone(child) and is_gone(killed), seconds=2)


def guards(supervisor: int) -> list[int]:
    """Return the pids of the guard processes of a supervisor."""
    return [
        child.pid
        for child in psutil.Process(supervisor).children()
        if not is_gone(child) and "guard.py" in " ".join(child.cmdline())
    ]


def test_a_guard_process_that_was_killed_is_replaced_before_the_next_child_runs(
    tmp_path: Path, guard: Guard
) -> None:
    first = guard.spawn(SLEEP, what="first")
    guard_process(tmp_path / "run").kill()
    second = guard.spawn(SLEEP, what="second")
    guard.close()
    assert (first.wait(timeout=5), second.wait(timeout=5)) == (-signal.SIGKILL, -signal.SIGKILL)


def test_a_child_gets_its_arguments_environment_directory_and_no_input(
    tmp_path: Path, guard: Guard
) -> None:
    code = """if True:
        import json, os, sys
        leads_session = os.getsid(0) == os.getpid()
        found = [sys.argv[1:], dict(os.environ), os.getcwd(), sys.stdin.read(), leads_session]
        print(json.dumps(found))
    """
    arguments = ["a b", "", "$HOME `x` '\"\n"]
    command = [sys.executable, "-I", "-S", "-c", code, *arguments]
    child = guard.spawn(
        command,
        what="a child",
        env={"ONE": "1", "LC_ALL": "C"},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
    )
    output, _ = child.communicate(timeout=10)
    guard.forget(child.pid)
    got, environment, directory, read, leads_session = json.loads(output)
    assert (got, directory, read, leads_session) == (arguments, str(tmp_path), "", True)
    # some shells set a variable of their own, as Lambda's does; Python may set its locale
    assert {
        name: environment[name] for name in environment.keys() - {"_", "SHLVL", "LC_CTYPE"}
    } == {"ONE": "1", "LC_ALL": "C"}


def test_a_missing_program_raises_an_error(guard: Guard) -> None:
    with pytest.raises(FileNotFoundError, match="/no/such/program"):
        guard.spawn(["/no/such/program"], what="nothing")


def test_a_child_of_an_event_loop_is_registered_with_the_guard(tmp_path: Path) -> None:
    guard = Guard(tmp_path)
    guard.start()

    async def run() -> int:
        child = await guard.spawn_async(SLEEP, what="a child")
        await asyncio.to_thread(guard.close)
        return await child.wait()

    assert asyncio.run(run()) == -signal.SIGKILL


def test_a_child_gets_its_signal_first_and_then_its_group_is_killed(
    guard: Guard, tmp_path: Path
) -> None:
    code = "trap 'echo asked; exit 3' TERM; sleep 60 & echo $!; while :; do sleep 0.05; done"
    child = guard.spawn(
        ["/bin/sh", "-c", code], what="a shell", stop=signal.SIGTERM, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    grandchild = int(child.stdout.readline())
    guard.end(child)
    assert child.returncode == 3
    assert child.stdout.read() == b"asked\n"
    child.stdout.close()
    assert becomes_true(lambda: is_gone(grandchild))
    assert list((tmp_path / "run").iterdir()) == []
    guard.end(child)  # a second call is no error


def test_ending_a_child_that_has_exited_ends_its_own_children(guard: Guard) -> None:
    child = guard.spawn(
        ["/bin/sh", "-c", "sleep 60 & echo $!"], what="a shell", stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    grandchild = int(child.stdout.readline())
    child.stdout.close()
    child.wait()
    assert not is_gone(grandchild)
    guard.end(child)
    assert becomes_true(lambda: is_gone(grandchild))


def test_a_child_that_ignores_its_signal_is_killed(guard: Guard) -> None:
    child = guard.spawn(STUBBORN, what="stubborn", stop=signal.SIGTERM, stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    guard.end(child, grace_s=0.1)
    child.stdout.close()
    assert child.returncode == -signal.SIGKILL


def test_threads_may_start_and_end_children_at_the_same_time(guard: Guard, tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(5):
                guard.end(guard.spawn(SLEEP, what="a child"))
        except BaseException as error:  # noqa: BLE001 - shown by the assert below
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert list((tmp_path / "run").iterdir()) == []


def test_the_sweep_ends_and_reports_children_of_a_killed_guard(tmp_path: Path) -> None:
    run = tmp_path / "run"
    supervisor = Supervisor(
        run, "pids = [guard.spawn(SLEEP, what='an environment').pid, guard._process.pid]"
    )
    child, guard_pid = supervisor.pids
    assert stat.S_IMODE((run / f"{child}.json").stat().st_mode) == 0o600
    # Stopped first, so that it does not replace its guard.
    os.kill(supervisor.process.pid, signal.SIGSTOP)
    os.kill(guard_pid, signal.SIGKILL)
    supervisor.kill()
    assert not is_gone(child)
    output = sweep(run)
    assert output == [
        f"Ended an environment (process {child}), left over from a run that was killed."
    ]
    assert becomes_true(lambda: is_gone(child))
    assert list(run.iterdir()) == []
    assert sweep(run) == []


def test_the_sweep_leaves_a_process_with_a_reused_pid_alone(tmp_path: Path) -> None:
    bystander = subprocess.Popen(SLEEP, start_new_session=True)
    try:
        started = psutil.Process(bystander.pid).create_time()
        record = Record(bystander.pid, started - 60, "an environment", int(signal.SIGKILL))
        (tmp_path / f"{bystander.pid}.json").write_text(json.dumps(record.__dict__))
        assert sweep(tmp_path) == []
        assert not is_gone(bystander.pid)
        assert list(tmp_path.iterdir()) == []
    finally:
        bystander.kill()
        bystander.wait()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}', "null"])
def test_the_sweep_removes_damaged_records(tmp_path: Path, content: str) -> None:
    (tmp_path / "1.json").write_text(content)
    assert sweep(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_the_sweep_of_a_missing_directory_ends_nothing(tmp_path: Path) -> None:
    assert sweep(tmp_path / "none") == []


def test_the_guard_leaves_a_process_with_a_reused_pid_alone() -> None:
    from stack.local.system import guard as program

    bystander = subprocess.Popen(SLEEP, start_new_session=True)
    try:
        program.end({bystander.pid: program.Child(signal.SIGKILL, "another start")})
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
