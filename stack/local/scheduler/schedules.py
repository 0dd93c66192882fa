"""Invokes the targets of schedules at their times, from the records of the store.

The clock is that of the wall, and is looked at again at least every `CHECK_S`: a laptop that has
slept, and a clock that has been set, change the next time. A time that has passed meanwhile is made
up for once. One that has passed while nothing ran is made up for at the next start, unless the
schedule has run on that day already.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from difflib import get_close_matches
from typing import Any
from zoneinfo import ZoneInfo

from common.errors import UserError
from stack.local.lambda_.functions import LATEST, LambdaFunctions, error_text
from stack.local.resources.arns import parse_function_arn
from stack.local.resources.store import Record, Store, stack_of
from stack.local.scheduler.expression import parse
from stack.local.system import events

SCHEDULES, RUNS = "schedules", "schedule-runs"
DISABLED = "DISABLED"
CHECK_S = 60.0
CLOCK_SET_BACK = timedelta(hours=1)
"""A last run that is further in the future than this is of a clock that was wrong."""
RETRY_S = 60.0
"""Before the first repetition, twice as much before the second (Lambda, asynchronous calls)."""
DEFAULT_RETRIES = {"maximumRetryAttempts": 185, "maximumEventAgeInSeconds": 86_400}
"""The defaults of a retry policy, which are also its maxima (API reference, RetryPolicy)."""
RESULT_LIMIT = 1000
"""Characters of a result that are kept."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """The last run of a schedule. result: the function's, or the error; "" while it runs."""

    at: datetime
    status: str
    result: str


RUNNING, SUCCEEDED, FAILED = "running", "succeeded", "failed"


class Schedules:
    """Runs on the event loop; `changed`, `status` and `forget` are safe from any thread.

    now, sleep: the clock in UTC, and the wait between repetitions.
    """

    def __init__(
        self,
        store: Store,
        functions: LambdaFunctions,
        loop: asyncio.AbstractEventLoop,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._functions = functions
        self._loop = loop
        self._now = now
        self._sleep = sleep
        self._changed = asyncio.Event()
        self._not_before: dict[str, datetime] = {}
        self._set_back: dict[str, datetime] = {}
        self._loop_task: asyncio.Task[None] | None = None
        self._runs: set[asyncio.Task[tuple[str, bool]]] = set()

    async def start(self) -> None:
        """Begin to invoke targets; what was missed since the last run of another day first."""
        now = self._now()
        for identity, record in self._store.find(SCHEDULES).items():
            run = self._last_run(identity)
            interrupted = run is not None and run.status == RUNNING
            zone = ZoneInfo(record["scheduleExpressionTimezone"])
            if run and not interrupted and _day(run.at, zone) == _day(now, zone):
                self._not_before[identity] = now
            elif interrupted and record.get("state") != DISABLED:
                self._begin(identity, record)
        self._loop_task = asyncio.create_task(self._invoke_when_due())

    async def stop(self) -> None:
        """End without waiting for invocations; the functions are stopped afterwards."""
        tasks: list[asyncio.Task[Any]] = list(self._runs)
        if self._loop_task is not None:
            tasks.append(self._loop_task)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def changed(self) -> None:
        """Apply a change of the schedules."""
        self._loop.call_soon_threadsafe(self._changed.set)

    def forget(self, identity: str) -> None:
        """Remove what is known of a schedule that has been deleted."""
        self._store.remove(RUNS, identity)

    def status(self) -> Sequence[Mapping[str, Any]]:
        """Return the schedules as JSON: name, stack, next time and last run."""
        return [
            self._shown(identity, record)
            for identity, record in sorted(self._store.find(SCHEDULES).items())
        ]

    async def invoke(self, name: str) -> tuple[str, bool]:
        """Invoke a schedule's target now, once; its result, and whether it succeeded.

        name: of a schedule, or its last words if no other schedule ends in them. Raises `UserError`
        for any other name.
        """
        identity = self._find(name)
        record = self._store.find(SCHEDULES)[identity]
        return await self._run(identity, record, repeat=False)

    def _find(self, name: str) -> str:
        names = {
            identity: str(record["name"])
            for identity, record in self._store.find(SCHEDULES).items()
        }
        found = [identity for identity, other in names.items() if other == name] or [
            identity for identity, other in names.items() if other.endswith(f"-{name}")
        ]
        if len(found) == 1:
            return found[0]
        if found:
            raise UserError(
                f"{name!r} is ambiguous: there are {', '.join(names[item] for item in found)}"
            )
        words = [other.rpartition("-")[2] for other in names.values()]
        near = get_close_matches(name, [*names.values(), *words], 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names.values())}"
        raise UserError(
            f"there is no schedule {name!r}: {hint}" if names else "there are no schedules"
        )

    def _shown(self, identity: str, record: Record) -> Mapping[str, Any]:
        next_time = self._next_time(identity, record)
        run = self._last_run(identity)
        zone = ZoneInfo(record["scheduleExpressionTimezone"])
        return {
            "name": record["name"],
            "stack": stack_of(record["owner"]),
            "next": next_time and next_time.astimezone(zone).isoformat(timespec="seconds"),
            "last": run
            and {
                "at": run.at.astimezone(zone).isoformat(timespec="seconds"),
                "status": run.status,
                "result": run.result,
            },
        }

    def _last_run(self, identity: str) -> Run | None:
        record = self._store.get(RUNS, identity)
        if record is None:
            return None
        at = datetime.fromisoformat(record["at"])
        return Run(at=at, status=record["status"], result=record["result"])

    def _next_time(self, identity: str, record: Record) -> datetime | None:
        if record.get("state") == DISABLED:
            return None
        since, now = datetime.fromisoformat(record["since"]), self._now()
        run = self._last_run(identity)
        # Before `since`, so that the first time of a rate, which is `since`, is one of them.
        after = since - timedelta(microseconds=1)
        if run:
            after = max(after, run.at)
        after = max(after, self._not_before.get(identity, after))
        if after <= now + CLOCK_SET_BACK:
            self._set_back.pop(identity, None)
        else:
            after = self._set_back.setdefault(identity, now)
        times = parse(record["scheduleExpression"], record["scheduleExpressionTimezone"], since)
        return times(after)

    async def _invoke_when_due(self) -> None:
        while True:
            self._changed.clear()
            waits: list[float] = []
            for identity, record in self._store.find(SCHEDULES).items():
                due = self._next_time(identity, record)
                if due is not None and due <= self._now():
                    self._begin(identity, record)
                    due = self._next_time(identity, record)
                if due is not None:
                    waits.append((due - self._now()).total_seconds())
            timeout = max(0.0, min(*waits, CHECK_S)) if waits else None
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), timeout)

    def _begin(self, identity: str, record: Record) -> None:
        task = asyncio.create_task(self._run(identity, record, repeat=True))
        self._runs.add(task)
        task.add_done_callback(self._runs.discard)

    def _run(
        self, identity: str, record: Record, *, repeat: bool
    ) -> Coroutine[Any, Any, tuple[str, bool]]:
        """Record that the target is invoked now, and return the coroutine that does it.

        Its result is the target's, and whether it succeeded, at last.
        """
        at = self._now()
        self._write(identity, record, Run(at=at, status=RUNNING, result=""))
        policy = {**DEFAULT_RETRIES, **(record["target"].get("retryPolicy") or {})}
        retries = policy["maximumRetryAttempts"] if repeat else 0
        last = at + timedelta(seconds=policy["maximumEventAgeInSeconds"])

        async def invoke() -> tuple[str, bool]:
            attempt = 1
            while True:
                text, done = await self._call(record)
                wait = RETRY_S * attempt
                late = self._now() + timedelta(seconds=wait) > last
                if done or late or attempt > retries or not self._store.get(SCHEDULES, identity):
                    break
                events.message(
                    f"The schedule {record['name']} has failed and is repeated in {wait:.0f} s: "
                    f"{text}"
                )
                await self._sleep(wait)
                attempt += 1
            if not done:
                events.message(f"The schedule {record['name']} has failed: {text}")
            present = self._last_run(identity)
            if present is not None and present.at == at:  # else a later run has begun
                status = SUCCEEDED if done else FAILED
                self._write(identity, record, Run(at=at, status=status, result=text[:RESULT_LIMIT]))
            return text, done

        return invoke()

    async def _call(self, record: Record) -> tuple[str, bool]:
        name, qualifier = parse_function_arn(record["target"]["arn"])
        event = record["target"].get("input") or "{}"
        try:
            result = await self._functions.invoke_once(name, qualifier or LATEST, event.encode())
        except Exception as error:  # noqa: BLE001 - a target that is gone or throttled is a result
            return str(error) or type(error).__name__, False
        if result.error:
            return error_text(result), False
        return result.payload.decode(errors="replace"), True

    def _write(self, identity: str, record: Record, run: Run) -> None:
        if self._store.get(SCHEDULES, identity) is None:
            return  # deleted while it ran
        fields = {"at": run.at.isoformat(), "status": run.status, "result": run.result}
        with contextlib.suppress(OSError):  # a full disk: the store in memory has it
            self._store.put(RUNS, identity, {"owner": record["owner"], **fields})


def _day(time: datetime, zone: ZoneInfo) -> date:
    return time.astimezone(zone).date()
