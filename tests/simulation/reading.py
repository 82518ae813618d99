"""The real reading thread and consumer of ours, over a fetcher that plays aiokafka's, in one thread.

Faust's two threads talk by queues: answers of the reading thread come a moment later, but in their order, and a busy
main loop lets them wait.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextvars import copy_context
from types import SimpleNamespace
from typing import Any, TypeVar

from faust.types import TP

from schemas.names import INPUTS
from streams.kafka.fetching import Runs
from streams.kafka.transport import BatchConsumer, PromptConsumerThread
from tests.simulation.fetcher import Fetcher
from tests.simulation.world import World

T = TypeVar("T")


class Kafka:
    """As much of an `AIOKafkaConsumer` as the reading thread uses."""

    _closed = False

    def __init__(self, world: World, fetcher: Fetcher) -> None:
        self._world = world
        self._fetcher = fetcher

    def assignment(self) -> set[TP]:
        return set(self._fetcher.assignment.states)

    def seek(self, tp: TP, position: int) -> None:
        self._fetcher.seek_to(tp, position)

    async def position(self, _tp: TP) -> None:
        await asyncio.sleep(self._world.dice.choice([0.0, 0.0, self._world.plan.busy]))


class ReadingThread(PromptConsumerThread):
    """The real thread's methods; what Faust's own `__init__` makes is here, and no thread."""

    def __init__(self, world: World, fetcher: Fetcher, consumer: Any) -> None:
        self.consumer = consumer
        self.app = SimpleNamespace(conf=SimpleNamespace(broker_request_timeout=20.0))
        self.log = SimpleNamespace(dev=lambda *_words: None)
        self.kafka = Kafka(world, fetcher)
        self._world = world
        self._answered_at = 0.0

    async def call(self, method: Callable[..., Coroutine[Any, Any, T]], *arguments: Any, **named: Any) -> T:
        """As Faust's `call_thread`: what was begun goes on though nobody waits for it any more."""
        answer: asyncio.Future[T] = self._world.loop.create_future()
        self._world.loop.create_task(self._work(answer, method(*arguments, **named)))
        return await answer

    async def _work(self, answer: "asyncio.Future[T]", call: Coroutine[Any, Any, T]) -> None:
        await asyncio.sleep(self._world.dice.choice([0.0, 0.0001, 0.001]))
        try:
            result: Any = await call
        except Exception as error:  # noqa: BLE001 # for whoever asked
            result = error
        busy = self._world.dice.choice([0.0, 0.0, self._world.plan.busy])
        self._answered_at = max(self._answered_at, self._world.loop.time() + busy)
        self._world.loop.call_at(self._answered_at, _answered, answer, result, context=copy_context())


def _answered(answer: "asyncio.Future[Any]", result: object) -> None:
    if answer.done():
        return
    if isinstance(result, Exception):
        answer.set_exception(result)
    else:
        answer.set_result(result)


class SimulatedConsumer(BatchConsumer):
    """The real consumer; what Faust's own `__init__` makes is here."""

    def __init__(self, app: Any, owners: Any) -> None:
        self.app = app
        self.transport: Any = SimpleNamespace(owners=owners, topic_prefix="")
        self._next: dict[TP, int] = {}
        self._epochs: dict[int, int] = {}
        self._taking = asyncio.Lock()
        self._dropped: set[TP] = set()
        self._astray: dict[TP, int] = {}
        self._active_partitions: set[TP] = set()
        self._paused_partitions: set[TP] = set()
        self._buffered_partitions: set[TP] = set()
        self._read_offset: defaultdict[TP, int | None] = defaultdict(lambda: None)
        self._committed_offset: defaultdict[TP, int | None] = defaultdict(lambda: None)
        self._acked: defaultdict[TP, list[int]] = defaultdict(list)
        self._acked_index: defaultdict[TP, set[int]] = defaultdict(set)
        self.can_resume_flow = asyncio.Event()
        self.suspend_flow = asyncio.Event()
        self.not_waiting_next_records = asyncio.Event()
        self.not_waiting_next_records.set()
        self.flow_active = True

    @property
    def should_stop(self) -> bool:
        return bool(self.app.should_stop)

    async def wait(self, event: asyncio.Event) -> None:
        await event.wait()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class ReadingConsumer(SimulatedConsumer):
    """The consumer with its reading thread."""

    def __init__(self, app: Any, owners: Any, world: World, fetcher: Fetcher) -> None:
        super().__init__(app, owners)
        self._world = world
        self._fetcher = fetcher
        self._reader = ReadingThread(world, fetcher, self)

    def assignment(self) -> set[TP]:
        return set(self._fetcher.assignment.states)

    def highwater(self, tp: TP) -> int | None:
        return self._fetcher.highwater.get(tp)

    async def spans(self, partitions: Iterable[TP]) -> dict[tuple[str, int], tuple[int, int]]:
        wanted = sorted(partitions)
        await asyncio.sleep(self._world.delay())
        return {(tp.topic, tp.partition): (0, self._fetcher.end(tp)) for tp in wanted}

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        ordered = dict(sorted(partitions.items()))
        self._world.note("seeks", {f"{tp.topic} {tp.partition}": offset for tp, offset in ordered.items()})
        await self._reader.call(self._reader._seek_wait, self._reader.kafka, ordered)

    async def _getmany(self, active_partitions: set[TP], timeout: float) -> Runs:  # noqa: ASYNC109 # Faust's signature
        runs = await self._reader.call(
            self._reader._fetch_records, self._reader.kafka, active_partitions, timeout=timeout
        )
        self._world.note("fetched", {f"{tp.topic} {tp.partition}": run[:2] for tp, run in sorted(runs.items())})
        return {tp: runs[tp] for tp in sorted(runs)}


def partitions(shards: frozenset[int]) -> list[TP]:
    """The input partitions of some shards."""
    return [TP(topic, shard) for topic in INPUTS for shard in sorted(shards)]
