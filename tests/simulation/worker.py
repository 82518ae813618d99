"""One simulated worker: the real `Program`, `Shards`, shards and consumer; what Faust does is played here."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol

from faust.types import TP

from schemas.instants import Duration
from schemas.names import INPUTS
from streams.app import MAX_WAITING, UNNOTICED, ConsumerEnds, Program, _agent
from streams.models import Models
from streams.settings import Settings
from streams.shard.port import RecordBatch
from streams.shard.pulse import Pulse
from streams.shard.shard import Limits, Ports
from streams.shards import Shards
from streams.versions import Versions
from tests.simulation import editions
from tests.simulation.broker import Broker, BrokerHistory, BrokerSink, Lookout, ProduceError
from tests.simulation.fetcher import Fetcher
from tests.simulation.group import SESSION, Group
from tests.simulation.loop import Process
from tests.simulation.plan import SKEW
from tests.simulation.reading import ReadingConsumer, partitions
from tests.simulation.store import Disk, RemoteStore
from tests.simulation.world import UnreachableError, World

SETTINGS = Settings(due_interval=0.15, session_timeout=SESSION)


class CrashedError(Exception):
    """The worker ended itself."""


class App:
    """What `Program` and the consumer ask of Faust's app."""

    client_only = False
    in_recovery = False

    def __init__(self, process: Process) -> None:
        self._process = process
        self.consumer_generation_id = 0
        self.should_stop = False
        self.consumer: Any = None
        self.crashes: Callable[[BaseException], None] = lambda _error: None

    async def crash(self, error: BaseException) -> None:
        self.crashes(error)
        self._process.kill()
        await asyncio.sleep(0)  # and no further

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _NoRedis:
    """`Program` leaves a sign of life in Redis, and signs off when it stops."""

    async def hset(self, *_names: str) -> None:
        pass

    async def hdel(self, *_names: str) -> None:
        pass

    async def aclose(self) -> None:
        pass


class SimulatedProgram(Program):
    """The real program without its composition: that one makes Faust's app and connects to Kafka and Redis."""

    def __init__(self, shards: Shards, versions: Versions, app: App, sink: Any, beat: Callable[[], int]) -> None:
        self.settings = SETTINGS
        self.versions = versions
        self._beat = beat
        self.shards = shards
        self.app: Any = app
        self.sink = sink
        self.redis: Any = _NoRedis()
        self.name = "simulated"
        self._slots: defaultdict[tuple[int, str], asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(MAX_WAITING)
        )
        self._tasks: set[asyncio.Task[None]] = set()
        self._seeking = asyncio.Lock()

    def breathe(self) -> int:
        return self._beat()


class SmallShards(Shards):
    """The real shards, each with a memory so small that customers are forgotten and read again."""

    memory = 1

    async def take(self, shards: set[int]) -> dict[int, tuple[int, dict[str, int]]]:
        taken = await super().take(shards)
        for shard in self.owned.values():
            shard._customers._limit = self.memory
        return taken


class Queue:
    """What waits for one agent; a partition is not read while much of it does."""

    def __init__(self, consumer: ReadingConsumer, room: int) -> None:
        self._consumer = consumer
        self._room = room
        self._waiting: asyncio.Queue[list[RecordBatch]] = asyncio.Queue()
        self._full: list[TP] = []

    def put(self, tp: TP, batches: list[RecordBatch]) -> None:
        self._waiting.put_nowait(batches)
        if self._waiting.qsize() >= self._room:
            self._full.append(tp)
            self._consumer.on_buffer_full(tp)

    def clear(self) -> None:
        while not self._waiting.empty():
            self._waiting.get_nowait()

    async def __aiter__(self) -> AsyncIterator[list[RecordBatch]]:
        while True:
            batches = await self._waiting.get()
            if self._waiting.qsize() < self._room:
                while self._full:
                    self._consumer.on_buffer_drop(self._full.pop())
            yield batches


class Surroundings(Protocol):
    """What all workers share."""

    world: World
    broker: Broker
    disk: Disk
    group: Group
    lookout: Lookout
    definitions: editions.Topic
    parameters: editions.Parameters


class Worker:
    """One worker, from its start to its death."""

    def __init__(self, number: int, around: Surroundings) -> None:
        self.world, self._group = around.world, around.group
        world, broker = around.world, around.broker
        self.process = Process(f"worker-{number}")
        skew: Duration = world.plan.skews[number % len(world.plan.skews)]
        ends = ConsumerEnds("")
        sink: Any = BrokerSink(broker, self.process, around.lookout)
        sink.stop = _nothing

        def clock() -> int:
            return world.now(skew)

        history: Any = BrokerHistory(broker, around.group)
        pulse = Pulse(SESSION * UNNOTICED, world.loop.time())

        def beat() -> int:
            return pulse.beat(world.loop.time())

        ports = Ports(RemoteStore(around.disk, self.process, clock), sink, history, ends, clock, clock, SKEW, beat)
        limits = Limits(customers=1000, batch=world.plan.batch, dues=world.plan.dues, page=world.plan.dues)
        models = Models(editions.Reading(around.parameters, world))
        self._versions = Versions(editions.Reading(around.definitions, world), models)
        shards = SmallShards(self._versions, ports, limits)
        shards.memory, shards.count = world.plan.memory, world.plan.shards
        self.app = ends.app = App(self.process)
        self.fetcher = Fetcher(broker, self.process)
        self.consumer = self.app.consumer = ReadingConsumer(self.app, shards, world, self.fetcher)
        self.program = SimulatedProgram(shards, self._versions, self.app, sink, beat)
        self.app.crashes = self._crashes
        self.queues = {topic: Queue(self.consumer, world.plan.room) for topic in INPUTS}
        self._recover = asyncio.Event()
        self.has_joined = False
        """Whether it has ever been in the group; before that there is nothing that it could be dropped from."""

    def start(self) -> None:
        """Have everything run that Faust runs, and join the group."""
        self.world.note("starts", self.process.name)
        agent = _agent(self.program)
        for queue in self.queues.values():
            self._run(agent(aiter(queue)))
        awake = self.program.stay_awake()
        for task in (self._drain(), self._recovery(), self._commit_offsets(), self._beat(), awake, self._begin()):
            self._run(task)

    async def _begin(self) -> None:
        """As `Program.start`, and then what Faust runs for it."""
        await self.program.versions.refresh()
        for task in (self.program.look_at_dues(), self.program.follow_definitions(), self.program.sweep()):
            self._run(task)
        self.has_joined = True
        self._group.join(self)

    def _crashes(self, error: BaseException) -> None:
        self.world.note("crashes", type(error).__name__, error)
        if not isinstance(error, (UnreachableError, ProduceError)):
            self.world.needless_crashes.append(f"{self.process.name}: {error!r}")

    async def stop(self) -> None:
        """Leave the group, finish what was begun, and end: as at SIGTERM."""
        self.app.should_stop = True
        self.consumer.stop_flow()
        self._group.leave(self)
        with contextlib.suppress(Exception):
            await self.program.stop()
        self.process.kill()

    def _run(self, task: Any) -> None:
        """Run one of Faust's services; if it raises, the worker ends."""

        async def guarded() -> None:
            try:
                await task
            except Exception as error:  # noqa: BLE001 # so does Faust: a crashed service takes the app with it
                await self.app.crash(error)

        self.world.loop.start(self.process, guarded())

    async def _drain(self) -> None:
        """As `faust.transport.consumer.Consumer._drain_messages`."""
        while not self.app.should_stop:
            runs = self.consumer.getmany(timeout=1.0)
            await asyncio.sleep(0)
            async for tp, message in runs:
                read = self.consumer._read_offset[tp]
                if read is None or message.offset >= read:
                    for batch in message.value:
                        self.world.note("reads", batch.topic, batch.shard, batch.epoch, batch.start, batch.end)
                    self.queues[tp.topic].put(tp, message.value)
                    self.consumer._read_offset[tp] = message.offset

    async def revoked(self) -> None:
        """As `faust.app.base.App._on_partitions_revoked`."""
        if self.app.should_stop:
            return
        self.consumer.stop_flow()
        self.consumer.pause_partitions(self.consumer.assignment())
        for queue in self.queues.values():
            queue.clear()
        await asyncio.sleep(self.world.delay())

    async def assigned(self, shards: frozenset[int], generation: int) -> None:
        """As `faust.app.base.App._on_partitions_assigned` without tables."""
        if self.app.should_stop:
            return
        assigned = partitions(shards)
        self.app.consumer_generation_id = generation
        self.fetcher.assign({tp: self._group.offsets.get(tp, 0) for tp in assigned})
        self.consumer._paused_partitions.intersection_update(assigned)
        self.consumer._set_active_tps(set(assigned))
        await asyncio.sleep(self.world.delay())
        self.consumer.pause_partitions(set(assigned))
        await asyncio.sleep(self.world.delay())
        self._recover.set()

    async def _recovery(self) -> None:
        """As `faust.tables.recovery.Recovery._restart_recovery` and `_resume_streams` without tables."""
        while True:
            await self._recover.wait()
            self._recover.clear()
            generation = self.app.consumer_generation_id
            await asyncio.sleep(0)
            assignment = self.consumer.assignment()
            if self.app.consumer_generation_id != generation:
                continue
            if assignment:
                self.consumer.resume_partitions(assignment)
                if await self._seek_or_again():
                    continue
            self.consumer.resume_flow()

    async def _seek_or_again(self) -> bool:
        """Seek; given up when another rebalance comes in between, which is what True says."""
        seek = asyncio.ensure_future(self.consumer.perform_seek())
        again = asyncio.ensure_future(self._recover.wait())
        done, pending = await asyncio.wait([seek, again], return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        if seek in done:
            seek.result()
        return again in done

    async def _beat(self) -> None:
        """As Faust's timer."""
        while True:
            await asyncio.sleep(0.5)
            await self.program.beat()

    async def _commit_offsets(self) -> None:
        """As Faust's commit handler: what the consumer says has been applied, once a while."""
        while True:
            await asyncio.sleep(0.1)
            if self._group.knows(self) and not self._group.rebalancing:
                for tp in sorted(self.consumer.assignment()):
                    offset = self.consumer._new_offset(tp)
                    if offset is not None and self.consumer._should_commit(tp, offset):
                        self._group.offsets[tp] = self.consumer._committed_offset[tp] = offset


async def _nothing() -> None:
    pass
