"""`segments worker` with hooks: it can die at a named step, and what it takes for the time can be moved from outside.

The program has no switch for any of this. `python -m tests.faults.launcher <arguments of segments>` replaces parts of
`streams.app` before that builds a worker; `Hooks` in the environment says which, and `Page` is shared memory.
"""

import asyncio
import mmap
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
from aiokafka import AIOKafkaProducer

from schemas.deadletters import DeadLetter
from schemas.instants import Instant
from streams import app
from streams.cli import main
from streams.kafka import sink
from streams.kafka.sink import KafkaSink
from streams.settings import Settings
from streams.shard.port import Clock, Forward
from streams.state.port import Commit, Outgoing, Ownership
from streams.state.redis_store import RedisStore
from tests.faults.plan import Plan

VARIABLE = "FAULTS_HOOKS"
"""Environment variable that carries `Hooks` as JSON."""

STEPS = (
    "after-claim",
    "after-tail",
    "after-letters",
    "after-forwards",
    "before-commit",
    "after-commit",
    "after-send",
    "after-produce",
    "before-mark",
    "after-mark",
)
"""Where a worker can be made to die: see `Doom.passes` and its callers."""


class Hooks(msgspec.Struct, frozen=True):
    """What to hook into one worker.

    Attributes:
        plan: of the load; the worker's clock is its event time.
        page: path of the `Page` of this worker.
        step: die at this step, when the page says so; empty: never.
        produce_timeout: milliseconds that the sink waits for Kafka; 0: as it is.
    """

    plan: Plan
    page: str
    step: str = ""
    produce_timeout: int = 0


class Page:
    """Numbers in memory that the suite and one worker share."""

    _SIZE = 5 * 8

    def __init__(self, path: Path) -> None:
        """Make the file, or open it if it is there."""
        if not path.exists():
            path.write_bytes(bytes(self._SIZE))
        with path.open("r+b") as file:
            self._numbers = memoryview(mmap.mmap(file.fileno(), self._SIZE)).cast("q")

    def clear(self) -> None:
        """Everything is 0."""
        self._numbers[:] = memoryview(bytes(self._SIZE)).cast("q")

    @property
    def begin(self) -> Instant:
        """The wall-clock instant at which the load began; 0 before."""
        return self._numbers[0]

    @begin.setter
    def begin(self, at: Instant) -> None:
        self._numbers[0] = at

    @property
    def shift(self) -> int:
        """Microseconds that the worker's wall clock is ahead."""
        return self._numbers[1]

    @shift.setter
    def shift(self, ahead: int) -> None:
        self._numbers[1] = ahead

    @property
    def passages(self) -> int:
        """How often the worker may still pass its step; with the last of them it dies. 0: it is not armed."""
        return self._numbers[2]

    @passages.setter
    def passages(self, left: int) -> None:
        self._numbers[2] = left

    @property
    def claims(self) -> int:
        """How many shards the worker has taken since it started, one after the other."""
        return self._numbers[3]

    @claims.setter
    def claims(self, count: int) -> None:
        self._numbers[3] = count

    @property
    def end(self) -> Instant:
        """Where the clock stops, in event time; 0: at the plan's end."""
        return self._numbers[4]

    @end.setter
    def end(self, at: Instant) -> None:
        self._numbers[4] = at


def event_time(plan: Plan, page: Page, wall: Instant) -> Instant:
    """The clock of a plan: it stands still until the load begins, and from the end on."""
    if not page.begin:
        return plan.start
    return min(plan.start + max(0, int((wall - page.begin) * plan.speed)), page.end or plan.end)


class Doom:
    """Ends the process hard when its step is passed, and the page says that it is time."""

    def __init__(self, step: str, page: Page) -> None:
        """At `step`; never if it is empty."""
        self._step, self.page = step, page

    def passes(self, step: str) -> None:
        """A step is passed now."""
        if step == self._step and self.page.passages:
            self.page.passages -= 1
            if not self.page.passages:
                os.kill(os.getpid(), signal.SIGKILL)


class DoomedStore(RedisStore):
    """The store, which may die before or after what it does."""

    doom: Doom

    def __init__(self, *arguments: Any) -> None:
        """As the real one."""
        super().__init__(*arguments)
        self._noted: dict[int, int] = {}

    async def claim(self, shard: int) -> Ownership:
        """As the real one."""
        owned = await super().claim(shard)
        self._noted[shard] = owned.relayed
        self.doom.page.claims += 1
        self.doom.passes("after-claim")
        return owned

    async def commit(self, shard: int, commit: Commit) -> None:
        """As the real one. A commit of events is one step, one that notes what was relayed another."""
        marks = commit.relayed > self._noted.get(shard, 0)
        for step, applies in (("before-commit", commit.offsets), ("before-mark", marks)):
            if applies:
                self.doom.passes(step)
        await super().commit(shard, commit)
        self._noted[shard] = commit.relayed
        for step, applies in (("after-commit", commit.offsets), ("after-mark", marks)):
            if applies:
                self.doom.passes(step)


class DoomedSink(KafkaSink):
    """The sink, which may die before or after what it does."""

    doom: Doom

    async def tail(self, shard: int) -> int:
        """As the real one."""
        found = await super().tail(shard)
        self.doom.passes("after-tail")
        return found

    async def send_changes(self, shard: int, rows: Sequence[Outgoing]) -> Awaitable[None]:
        """As the real one. After the send, Kafka has nothing yet for certain; after the produce, it has all."""
        on_the_way = await super().send_changes(shard, rows)
        self.doom.passes("after-send")
        return self._arrived(on_the_way)

    async def _arrived(self, on_the_way: Awaitable[None]) -> None:
        await on_the_way
        self.doom.passes("after-produce")

    async def send_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        """As the real one."""
        await super().send_dead_letters(letters)
        self.doom.passes("after-letters")

    async def send_forwards(self, forwards: Sequence[Forward]) -> None:
        """As the real one."""
        await super().send_forwards(forwards)
        self.doom.passes("after-forwards")


def _moved_time(hooks: Hooks, page: Page) -> Callable[[Settings], Clock]:
    """Have the process see a wall clock that is off by what the page says; the clock of the plan for `streams.app`."""
    true_time, true_ns = time.time, time.time_ns
    time.time = lambda: true_time() + page.shift / 1e6
    time.time_ns = lambda: true_ns() + page.shift * 1_000

    def clock_of(_settings: Settings) -> Clock:
        """Called while the worker is built, on its loop."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, _say_what_is_waited_for, loop)
        return lambda: event_time(hooks.plan, page, time.time_ns() // 1_000)

    return clock_of


def _say_what_is_waited_for(loop: asyncio.AbstractEventLoop) -> None:
    """Write where every task stands: for a worker that neither works nor ends."""
    for task in asyncio.all_tasks(loop):
        print(f"{task.get_name()} waits in", file=sys.stderr)
        waiting: Any = task.get_coro()
        while (frame := getattr(waiting, "cr_frame", None)) is not None:
            print(f"    {frame.f_code.co_qualname} line {frame.f_lineno}", file=sys.stderr)
            waiting = waiting.cr_await


def install(hooks: Hooks) -> None:
    """Put the hooks in, before a worker is built."""
    page = Page(Path(hooks.page))
    DoomedStore.doom = DoomedSink.doom = Doom(hooks.step, page)
    replaced: list[tuple[ModuleType, str, Any]] = [
        (app, "RedisStore", DoomedStore),
        (app, "KafkaSink", DoomedSink),
        (app, "clock_of", _moved_time(hooks, page)),
    ]
    if hooks.produce_timeout:
        producer = partial(AIOKafkaProducer, request_timeout_ms=hooks.produce_timeout)
        replaced.append((sink, "AIOKafkaProducer", producer))
    for module, name, value in replaced:
        setattr(module, name, value)


if __name__ == "__main__":
    install(msgspec.json.decode(os.environ[VARIABLE], type=Hooks))
    sys.argv[0] = "segments"
    main.run()
