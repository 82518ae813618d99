"""The demo itself: stack, worker, shop and picture, brought up together and ended together."""

import asyncio
import logging
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from aiokafka import AIOKafkaConsumer, TopicPartition

from consumers.subscription import ChangeStream
from schemas.instants import SECOND
from schemas.names import DEAD_LETTERS, SEGMENT_CHANGES, STREAMS
from streams.clock import clock_of, wall_clock
from streams.demo.feed import Feed
from streams.demo.pictures import Picture, svg
from streams.demo.plan import PATIENCE, DemoPlan, environment
from streams.demo.state import DemoState, Sample
from streams.settings import Settings
from streams.sources.shop import marked_lines
from streams.stacks import StackError
from streams.stacks.guarded import GuardedProcess
from streams.state.keys import due_key
from streams.state.port import TopologyError
from streams.state.reader import Reader
from streams.state.redis_store import connect

_FRAME = 0.25
"""Seconds between two pictures."""
_STOP = 10.0
"""Seconds that a worker has to hand over, and the last transitions to arrive."""
_LOG_TAIL = 2_000
_WORKER = "streams.demo.worker"


@contextmanager
def running_worker(settings: Settings) -> Iterator[GuardedProcess]:
    """A worker process that ends with this block, and with this process however that ends."""
    with TemporaryDirectory(prefix="segments-", ignore_cleanup_errors=True) as directory:
        # -P: a folder named `streams` in the working directory is not the program.
        command = [sys.executable, "-P", "-m", _WORKER]
        worker = GuardedProcess("worker", command, Path(directory), environment(settings))
        worker.start(lambda: True, _STOP)
        try:
            yield worker
        finally:
            worker.stop(_STOP)


class Show:
    """One demo on a running stack with a running worker."""

    def __init__(
        self, plan: DemoPlan, settings: Settings, worker: GuardedProcess, state: DemoState, picture: Picture
    ) -> None:
        """Nothing is connected yet. Clients belong to a loop: make this where one runs."""
        self._plan, self._settings, self._worker = plan, settings, worker
        self._state, self._picture = state, picture
        self._clock = clock_of(settings)
        self._feed = Feed(settings.kafka_bootstrap_servers, plan.live_at, self._clock)
        self._changes = ChangeStream(settings.kafka_bootstrap_servers, from_start=True)
        self._ends = AIOKafkaConsumer(bootstrap_servers=settings.kafka_bootstrap_servers, enable_auto_commit=False)
        self._redis = connect(settings.redis_url, patience=1)
        self._reader = Reader(self._redis)
        self._interrupted = asyncio.Event()
        self._over_at = float("inf")
        self._overdue = 0

    async def run(self, picture_file: Path | None) -> bool:
        """Play until the time is over; False: Ctrl-C came first.

        Raises:
            StackError: the worker ended, or did not get ready.
        """
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it would write into the picture
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, self._interrupted.set)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._redis.aclose)
            await stack.enter_async_context(self._changes)
            stack.push_async_callback(self._ends.stop)
            await self._ends.start()
            follow = asyncio.create_task(self._follow())
            stack.push_async_callback(_cancelled, follow)
            feed = asyncio.create_task(self._feed.run(marked_lines(self._plan.shop)))
            stack.push_async_callback(_cancelled, feed)
            with self._picture:
                await self._play([follow, feed])
            if picture_file is not None:
                await asyncio.to_thread(picture_file.write_text, svg(self._state))
            await _cancelled(feed)
            await self._settle()
        return not self._interrupted.is_set()

    async def _play(self, tasks: "list[asyncio.Task[None]]") -> None:
        """Look, draw, wait, until the time is over."""
        give_up = time.monotonic() + PATIENCE
        while not self._interrupted.is_set() and time.monotonic() < self._over_at:
            for task in tasks:
                if task.done():
                    task.result()
            if not self._worker.is_alive():
                raise StackError(f"the worker ended before the demo did; its log ends: {self._log()}")
            await self._look()
            self._begin_when_ready()
            if not self._state.live and time.monotonic() > give_up:
                raise StackError(f"the worker did not read the past in {PATIENCE:g} s; its log ends: {self._log()}")
            self._state.turn()
            self._picture.show(self._state)
            await _first(self._interrupted, _FRAME)

    def _begin_when_ready(self) -> None:
        """The show begins when the worker has read the past, and the clock has come to its end."""
        state, feed, plan = self._state, self._feed, self._plan
        if state.live:
            state.left = max(0.0, self._over_at - time.monotonic())
            return
        way = (feed.reached - plan.shop.start) / (plan.live_at - plan.shop.start)
        state.past = max(0.0, min(1.0, way)) * feed.applied / max(1, feed.sent)
        if feed.live and self._overdue == 0:
            state.go_live(wall_clock())
            state.left = plan.seconds
            self._over_at = time.monotonic() + plan.seconds

    async def _look(self) -> None:
        """Take a sample of the running system; nothing before the worker's first sign."""
        try:
            offsets = await self._reader.offsets()
            sizes = await self._reader.sizes(list(self._state.segments))
        except TopologyError:
            return
        applied = sum(sum(offsets[topic].values()) for topic in STREAMS)
        letters = await self._end(DEAD_LETTERS)
        if not self._state.live:
            self._overdue = await self._crossings_due()
        self._feed.applied = applied
        self._state.measure(Sample(time.monotonic(), self._clock(), applied, letters, sizes))

    async def _crossings_due(self) -> int:
        """Customers whose next crossing came a second ago and is not emitted: of the past, while that is read."""
        before = self._clock() - int(self._plan.clock_speed * SECOND)
        shards = range(self._settings.partitions)
        return sum([await self._redis.zcount(due_key(shard), "-inf", before) for shard in shards])

    async def _follow(self) -> None:
        async for change in self._changes:
            self._state.note(change)

    async def _settle(self) -> None:
        """Stop the worker, and wait for the last transitions: now the figures agree with each other."""
        await asyncio.to_thread(self._worker.stop, _STOP)
        self._feed.finish()
        end, give_up = await self._end(SEGMENT_CHANGES), time.monotonic() + _STOP
        while self._state.seen < end and time.monotonic() < give_up:  # noqa: ASYNC110 # Kafka's end, not an event
            await asyncio.sleep(_FRAME / 10)
        await self._look()

    async def _end(self, topic: str) -> int:
        """How many records a topic has taken in."""
        partitions = [TopicPartition(topic, number) for number in range(self._settings.partitions)]
        return sum((await self._ends.end_offsets(partitions)).values())

    def _log(self) -> str:
        return self._worker.log.read_text(errors="replace")[-_LOG_TAIL:] if self._worker.log.exists() else ""


async def _cancelled(task: "asyncio.Task[None]") -> None:
    """End a task; what went wrong in it was raised before, or does not matter any more."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _first(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, so long at most."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
