"""A simulated event loop: time jumps from timer to timer, and processes can be paused or killed between any two steps.

Everything runs in one thread and in one order, which follows from the seed alone. What belongs to a process is told by
a context variable: what it starts, and what it waits for, runs in its context. A killed process takes no further step;
what a paused one would do is put aside until it goes on, as with SIGSTOP.
"""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


MAX_STEPS = 100_000
"""Of one run; a usual one takes two thousand."""


class EndlessError(Exception):
    """A run that does not come to its end."""


class Process:
    """Something that can die or be stopped on its own: a worker. The network and the shop never are."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.paused = False
        self.resumed_at = 0.0
        """When it last went on after a pause."""
        self.backlog: list[Handle] = []
        self.fuse: int | None = None
        """Steps until it dies."""
        self.dies: list[Callable[[], None]] = []
        """Called when it does."""

    def kill(self) -> None:
        """End it here and now: no step of it runs any more, no finally clause, no answer."""
        if self.alive:
            self.alive = False
            self.backlog.clear()
            for told in self.dies:
                told()


WORLD = Process("world")
"""Whatever is no worker: servers, the network, the shop."""
OWNER: ContextVar[Process] = ContextVar("owner", default=WORLD)


class Handle:
    """One step that is still to be taken."""

    __slots__ = ("args", "callback", "context", "dropped", "owner", "time")

    def __init__(self, time: float, callback: Callable[..., object], args: tuple[Any, ...], context: Context) -> None:
        self.time, self.callback, self.args, self.context = time, callback, args, context
        self.owner: Process = context.get(OWNER, WORLD)
        self.dropped = False

    def cancel(self) -> None:
        self.dropped = True

    def cancelled(self) -> bool:
        return self.dropped

    def when(self) -> float:
        return self.time


class SimulatedLoop(asyncio.AbstractEventLoop):
    """As much of an event loop as asyncio's own futures, tasks, locks and timeouts need."""

    def __init__(self) -> None:
        self._now = 0.0
        self._ready: deque[Handle] = deque()
        self._timers: list[tuple[float, int, Handle]] = []
        self._timer_count = 0
        self._tasks: list[asyncio.Task[Any]] = []
        self.steps = self._turns = 0
        self.broken: BaseException | None = None
        """What went wrong in the simulator itself."""

    def time(self) -> float:
        return self._now

    def call_soon(  # type: ignore[override] # handles of our own; nothing here needs those of asyncio
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> Handle:
        handle = Handle(self._now, callback, args, copy_context() if context is None else context)
        self._ready.append(handle)
        return handle

    def call_later(  # type: ignore[override] # as above
        self,
        delay: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> Handle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override] # as above
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> Handle:
        handle = Handle(when, callback, args, copy_context() if context is None else context)
        self._timer_count += 1
        heapq.heappush(self._timers, (when, self._timer_count, handle))
        return handle

    def create_future(self) -> "asyncio.Future[Any]":
        return asyncio.Future(loop=self)

    def create_task(  # type: ignore[override] # as above
        self, coro: Coroutine[Any, Any, T], *, name: str | None = None, context: Context | None = None
    ) -> "asyncio.Task[T]":
        task = asyncio.Task(coro, loop=self, name=name, context=context)
        self._tasks.append(task)  # a killed process must not be swept up by the garbage collector in mid-run
        return task

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Tasks that nobody asks about are no news: their process is dead, or has crashed over it."""

    def start(self, process: Process, coro: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """Start a coroutine in a process."""
        context = copy_context()
        context.run(OWNER.set, process)
        return context.run(self.create_task, coro)

    def resume(self, process: Process) -> None:
        """Let a paused process go on with what has piled up."""
        process.paused, process.resumed_at = False, self._now
        self._ready.extend(process.backlog)
        process.backlog.clear()

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run everything until a coroutine is through.

        Raises:
            RuntimeError: nothing is left to happen, and it still waits.
            EndlessError: it took too many steps.
        """
        asyncio._set_running_loop(self)
        try:
            task = self.start(WORLD, main)
            while not task.done():
                self._turn()
                if self.broken is not None:
                    raise self.broken
                if self._turns > MAX_STEPS:
                    raise EndlessError(f"{MAX_STEPS} steps, and at {self._now:.3f} s it is still not over")
            return task.result()
        finally:
            asyncio._set_running_loop(None)

    def close(self) -> None:
        """Drop what still waits, without a word."""
        self._ready.clear()
        self._timers.clear()
        for task in self._tasks:
            task._log_destroy_pending = False  # type: ignore[attr-defined] # it is meant to be thrown away
            if not task.done():
                task.get_coro().close()
        self._tasks.clear()

    def _turn(self) -> None:
        self._turns += 1
        if not self._ready:
            if not self._timers:
                raise RuntimeError("the simulation stands still: nothing is left to happen")
            when, _number, handle = heapq.heappop(self._timers)
            self._now = max(self._now, when)
            self._ready.append(handle)
        handle = self._ready.popleft()
        owner = handle.owner
        if handle.dropped or not owner.alive:
            return
        if owner.paused:
            owner.backlog.append(handle)
            return
        if owner.fuse is not None:
            owner.fuse -= 1
            if owner.fuse < 0:
                owner.kill()
                return
        self.steps += 1
        try:
            handle.context.run(handle.callback, *handle.args)
        except BaseException as error:  # noqa: BLE001 # a step never raises but for a fault of the simulator
            self.broken = error
