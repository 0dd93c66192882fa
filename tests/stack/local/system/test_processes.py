"""No child outlives the supervisor, however that ends, and nothing else is ever ended."""

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from stack.local.system.processes import Guard, Record, sweep

ROOT = Path(__file__).parents[4]
SLEEP = (sys.executable, "-I", "-S", "-c", "import time; time.sleep(60)")
STUBBORN = ("/bin/sh", "-c", "trap '' TERM; echo ready; sleep 60")


@pytest.fixture
def guard(tmp_path: Path) -> Iterator[Guard]:
    guard = Guard(tmp_path / "run")
    guard.start()
    yield guard
    guard.close()


def is_gone(pid: int) -> bool:
    """A zombie is gone: only its parent has not asked for it yet."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def eventually(condition: Callable[[], bool], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def guard_process(run: Path) -> psutil.Process:
    """The guard is the one child of this process that no record names."""
    known = {int(path.stem) for path in run.glob("*.json")}
    return next(
        child
        for child in psutil.Process().children()
        if child.pid not in known and "guard.py" in " ".join(child.cmdline())
    )


class Holder:
    """A supervisor of its own with children, which prints their pids and then waits."""

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
    holder = Holder(tmp_path, "pids = [guard.spawn(SLEEP, what='a child').pid for _ in range(3)]")
    assert not any(is_gone(pid) for pid in holder.pids)
    holder.kill()
    assert eventually(lambda: all(is_gone(pid) for pid in holder.pids), seconds=1)


def test_a_frozen_child_and_one_that_ignores_its_signal_end_as_well(tmp_path: Path) -> None:
    holder = Holder(
        tmp_path,
        """
            frozen = guard.spawn(SLEEP, what='frozen', stop=signal.SIGTERM)
            frozen.send_signal(signal.SIGSTOP)
            stubborn = guard.spawn(STUBBORN, what='stubborn', stop=signal.SIGTERM, stdout=subprocess.PIPE)
            stubborn.stdout.readline()
            pids = [frozen.pid, stubborn.pid]
        """.strip(),
    )
    holder.kill()
    assert eventually(lambda: all(is_gone(pid) for pid in holder.pids), seconds=2)


def test_grandchildren_end_with_the_group_even_when_their_parent_has_ended(tmp_path: Path) -> None:
    holder = Holder(
        tmp_path,
        """
            child = guard.spawn(['/bin/sh', '-c', 'sleep 60 & echo $!'], what='a shell', stdout=subprocess.PIPE)
            pids = [int(child.stdout.readline())]
        """.strip(),
    )
    assert not is_gone(holder.pids[0])
    holder.kill()
    assert eventually(lambda: is_gone(holder.pids[0]), seconds=1)


def test_a_child_that_has_been_forgotten_is_left_alone(tmp_path: Path) -> None:
    holder = Holder(
        tmp_path,
        """
            pids = [guard.spawn(SLEEP, what=what).pid for what in ('kept', 'forgotten')]
            guard.forget(pids[1])
        """.strip(),
    )
    try:
        holder.kill()
        assert eventually(lambda: is_gone(holder.pids[0]))
        assert not is_gone(holder.pids[1])
    finally:
        os.kill(holder.pids[1], signal.SIGKILL)


def test_a_supervisor_killed_while_it_starts_children_leaves_none(tmp_path: Path) -> None:
    """Whatever the moment: a child does not run before the guard knows it."""
    marker = f"time.sleep(61.{os.getpid()})"
    code = f"""if True:
        import sys, threading
        from pathlib import Path
        from stack.local.system.processes import Guard
        guard = Guard(Path({str(tmp_path)!r}))
        guard.start()
        print("ready", flush=True)
        def start():
            for _ in range(20):
                guard.spawn([sys.executable, "-I", "-S", "-c", "import time; {marker}"], what="a child")
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

    assert eventually(lambda: not left(), seconds=2), left()


def test_closing_the_guard_ends_what_is_left(tmp_path: Path) -> None:
    guard = Guard(tmp_path)
    guard.start()
    child = guard.spawn(SLEEP, what="a child")
    guard.close()
    assert child.wait(timeout=5) == -signal.SIGKILL
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(RuntimeError, match="not running"):
        guard.spawn(SLEEP, what="a child")


def test_a_guard_that_was_killed_is_replaced_and_told_of_all_children(
    tmp_path: Path, guard: Guard
) -> None:
    first = guard.spawn(SLEEP, what="first")
    killed = guard_process(tmp_path / "run")
    killed.kill()
    assert eventually(lambda: is_gone(killed.pid))
    second = guard.spawn(SLEEP, what="second")
    guard.close()
    assert (first.wait(timeout=5), second.wait(timeout=5)) == (-signal.SIGKILL, -signal.SIGKILL)


def test_a_child_gets_its_arguments_environment_directory_and_no_input(
    tmp_path: Path, guard: Guard
) -> None:
    code = """if True:
        import json, os, sys
        print(json.dumps([sys.argv[1:], dict(os.environ), os.getcwd(), sys.stdin.read(), os.getsid(0) == os.getpid()]))
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
    said, _ = child.communicate(timeout=10)
    guard.forget(child.pid)
    got, environment, directory, read, leads_session = json.loads(said)
    assert (got, directory, read, leads_session) == (arguments, str(tmp_path), "", True)
    # some shells leave a mark of their own, as Lambda's does; Python may say which locale it took
    assert {
        name: environment[name] for name in environment.keys() - {"_", "SHLVL", "LC_CTYPE"}
    } == {"ONE": "1", "LC_ALL": "C"}


def test_a_missing_program_is_an_error_of_the_caller(guard: Guard) -> None:
    with pytest.raises(FileNotFoundError, match="/no/such/program"):
        guard.spawn(["/no/such/program"], what="nothing")


def test_a_child_of_an_event_loop_is_known_to_the_guard_too(tmp_path: Path) -> None:
    guard = Guard(tmp_path)
    guard.start()

    async def run() -> int:
        child = await guard.spawn_async(SLEEP, what="a child")
        await asyncio.to_thread(guard.close)
        return await child.wait()

    assert asyncio.run(run()) == -signal.SIGKILL


def test_ending_a_child_asks_first_then_kills_its_whole_group(guard: Guard, tmp_path: Path) -> None:
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
    assert eventually(lambda: is_gone(grandchild))
    assert list((tmp_path / "run").iterdir()) == []
    guard.end(child)  # once more is no error


def test_ending_a_child_that_has_ended_by_itself_ends_what_it_left_behind(guard: Guard) -> None:
    child = guard.spawn(
        ["/bin/sh", "-c", "sleep 60 & echo $!"], what="a shell", stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    grandchild = int(child.stdout.readline())
    child.stdout.close()
    child.wait()
    assert not is_gone(grandchild)
    guard.end(child)
    assert eventually(lambda: is_gone(grandchild))


def test_a_child_that_does_not_end_when_asked_is_killed(guard: Guard) -> None:
    child = guard.spawn(STUBBORN, what="stubborn", stop=signal.SIGTERM, stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    guard.end(child, grace_s=0.1)
    child.stdout.close()
    assert child.returncode == -signal.SIGKILL


def test_children_may_be_started_and_ended_by_many_threads(guard: Guard, tmp_path: Path) -> None:
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


def test_the_sweep_ends_what_a_killed_guard_left_and_says_so(tmp_path: Path) -> None:
    run = tmp_path / "run"
    holder = Holder(
        run, "pids = [guard.spawn(SLEEP, what='an environment').pid, guard._process.pid]"
    )
    child, guard_pid = holder.pids
    assert stat.S_IMODE((run / f"{child}.json").stat().st_mode) == 0o600
    os.kill(guard_pid, signal.SIGKILL)
    holder.kill()
    assert not is_gone(child)
    said = sweep(run)
    assert said == [
        f"Ended an environment (process {child}), left over from a run that was killed."
    ]
    assert eventually(lambda: is_gone(child))
    assert list(run.iterdir()) == []
    assert sweep(run) == []


def test_the_sweep_leaves_a_process_alone_that_got_the_pid_later(tmp_path: Path) -> None:
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
def test_the_sweep_removes_records_that_are_damaged(tmp_path: Path, content: str) -> None:
    (tmp_path / "1.json").write_text(content)
    assert sweep(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_the_sweep_of_a_first_run_finds_nothing(tmp_path: Path) -> None:
    assert sweep(tmp_path / "none") == []


def test_the_guard_leaves_a_process_alone_that_got_the_pid_of_a_child_later() -> None:
    from stack.local.system import guard as program

    bystander = subprocess.Popen(SLEEP, start_new_session=True)
    try:
        program.end({bystander.pid: program.Child(signal.SIGKILL, "another mark")})
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
