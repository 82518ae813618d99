"""The Faust program: agents on the input topics, the clock's task, and what brings them together. No global app."""

import asyncio
import json
import logging
import os
import socket
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import faust
from aiokafka.errors import KafkaError
from faust.types import TP

from schemas.errors import DefinitionsError
from schemas.names import INPUTS
from streams.clock import clock_of, steady_clock, wall_clock
from streams.core.definitions import compile_definitions
from streams.kafka.history import KafkaHistory
from streams.kafka.sink import KafkaSink
from streams.kafka.topics import ensure_topics
from streams.kafka.transport import BatchTransport
from streams.preflight.check import look, refuse_unsafe
from streams.settings import Settings
from streams.shard.port import RecordBatch
from streams.shard.pulse import Pulse
from streams.shard.shard import Limits, Ports
from streams.shards import Shards
from streams.state.keys import WORKERS
from streams.state.reader import Reader
from streams.state.redis_store import RedisStore, connect
from streams.versions import versions_of

log = logging.getLogger(__name__)

MAX_WAITING = 2
"""Batches of one shard and topic that wait or are worked on."""
UNNOTICED = 0.5
"""Share of the session time-out for which a worker can stand still without Kafka giving its shards to another: the
time-out counts from its latest heartbeat, which may have been a fifth of it earlier, or more on a busy machine."""
HEARTBEAT = 2.0
"""Seconds between two signs of life of a worker."""
NEWS_INTERVAL = 0.5
"""Seconds between two looks for a new version of the definitions."""


class ConsumerEnds:
    """`streams.shard.port.Inputs` from what Faust's consumer learnt with its fetches."""

    def __init__(self, prefix: str) -> None:
        """The app is known later: it is built with this."""
        self._prefix = prefix
        self.app: Any = None

    def end(self, topic: str, shard: int) -> int | None:
        """See `Inputs.end`."""
        tp = TP(self._prefix + topic, shard)
        consumer = self.app.consumer
        end: int | None = consumer.highwater(tp) if tp in consumer.assignment() else None
        return end


class Program:
    """One worker: its Faust app and everything that the app uses. The composition root."""

    def __init__(self, settings: Settings, text: str) -> None:
        """Put together; nothing is connected before the app starts. `text` is the worker's own definitions file."""
        self.settings = settings
        self.redis = connect(settings.redis_url)
        self.store = RedisStore(self.redis)
        self.sink = KafkaSink(settings.kafka_bootstrap_servers, settings.topic_prefix)
        ends = ConsumerEnds(settings.topic_prefix)
        history = KafkaHistory(settings.kafka_bootstrap_servers, settings.topic_prefix, settings.group)
        self._pulse = Pulse(settings.session_timeout * UNNOTICED, steady_clock())
        clock = clock_of(settings)
        ports = Ports(self.store, self.sink, history, ends, clock, wall_clock, settings.allowed_skew, self.breathe)
        limits = Limits(customers=settings.customers_in_memory, batch=settings.batch)
        self._text = text
        self.versions = versions_of(settings)
        self.shards = Shards(self.versions, ports, limits, settings.allow_unsafe)
        self._slots: defaultdict[tuple[int, str], asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(MAX_WAITING)
        )
        self._tasks: set[asyncio.Task[None]] = set()
        self._seeking = asyncio.Lock()
        self.name = f"{socket.gethostname()}-{os.getpid()}"
        self.app = ends.app = _faust_app(settings, self)
        register(self)

    async def start(self) -> None:
        """Connect, before the first shard is taken.

        Raises:
            TopicsError: the topics do not fit together.
            TopologyError: the state was written with another number of shards.
            UnsafeError: settings of Kafka or Redis break the promise.
            DefinitionsError: this program does not understand the definitions that are in force.
        """
        settings = self.settings
        count = await ensure_topics(
            settings.kafka_bootstrap_servers, settings.topic_prefix, settings.partitions, settings.replication
        )
        findings = await look(self.redis, settings.kafka_bootstrap_servers, settings.topic_prefix)
        refuse_unsafe(findings, settings.allow_unsafe)
        await self.store.topology(count)
        self.shards.count = count
        judging = await Reader(self.redis).judging()
        await self.versions.begin(self._text, wall_clock(), 1 + max(one.version for one in judging.values()))
        await self.sink.start()
        await self._sign()

    async def stop(self) -> None:
        """Let the relay finish, and disconnect. What it could not send stays in the outbox."""
        try:
            await asyncio.gather(*self._tasks)
            await asyncio.wait_for(self.shards.close(), timeout=10)
        finally:
            await self.sink.stop()
            await self.versions.close()
            await self.redis.hdel(WORKERS, self.name)
            await self.redis.aclose()

    async def accept(self, batch: RecordBatch) -> None:
        """Have a batch applied in the background, so that one shard's commit does not hold up another's.

        Batches of a topic are taken in the order in which they are accepted. Waits while a shard has too many of them.
        """
        slots = self._slots[batch.shard, batch.topic]
        await slots.acquire()
        task = asyncio.create_task(self._handle(batch))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _done: slots.release())

    async def _handle(self, batch: RecordBatch) -> None:
        """Apply a batch; whatever cannot be recovered from ends the process."""
        try:
            if not await self.shards.process(batch):
                await self.seek_again()
        except Exception as error:  # there is nobody above to tell
            log.critical("cannot go on: %s[%d] at offset %d", batch.topic, batch.shard, batch.start, exc_info=error)
            await self.app.crash(error)

    async def look_at_dues(self) -> None:
        """Emit crossings as they come due, for as long as the app runs."""
        while not self.app.should_stop:
            if not await self.shards.settle_due():
                await self.seek_again()
            await self.app.sleep(self.settings.due_interval)

    def breathe(self) -> int:
        """A sign of life; see `Ports.beat`."""
        return self._pulse.beat(steady_clock())

    async def stay_awake(self) -> None:
        """Give signs of life, for as long as the app runs: whoever waits for Redis or Kafka does not stand still."""
        while not self.app.should_stop:
            self.breathe()
            await self.app.sleep(self.settings.session_timeout / 10)

    async def follow_definitions(self) -> None:
        """Hear of new versions of the definitions, for as long as the app runs; the shards take them in their turn."""
        told = ""
        while not self.app.should_stop:
            try:
                await self.versions.refresh()
            except KafkaError as error:  # without Kafka, others end this worker
                log.debug("definitions: %s", error)
            except DefinitionsError as error:
                if str(error) != told:
                    told = str(error)
                    log.error("%s\nthis worker goes on with version %d", told, self.versions.latest.version)  # noqa: TRY400
            await self.app.sleep(NEWS_INTERVAL)

    async def sweep(self) -> None:
        """Have everybody judged by a version that took over, for as long as the app runs; half of the time at most."""
        loop = asyncio.get_running_loop()
        while not self.app.should_stop:
            begun = loop.time()
            good, busy = await self.shards.sweep()
            if not good:
                await self.seek_again()
            await self.app.sleep(loop.time() - begun if busy else self.settings.due_interval)

    async def seek_again(self) -> None:
        """Take all assigned shards anew and read on from where their state is."""
        consumer = self.app.consumer
        async with self._seeking:
            consumer.stop_flow()
            await consumer.wait_for_stopped_flow()
            await consumer.perform_seek()
            consumer.resume_flow()

    async def beat(self) -> None:
        """Leave a sign of life in Redis, and look whether what is there is still ours."""
        await self._sign()
        if not await self.shards.check():
            await self.seek_again()

    async def _sign(self) -> None:
        """Leave a sign of life in Redis: for `segments health`, and a rebuild, which speaks where no worker runs."""
        sign = {
            "at": wall_clock(),
            "shards": sorted(self.shards.owned),
            "silent": self.shards.silent(),
            "lag": self.shards.lag(),
        }
        await self.redis.hset(WORKERS, self.name, json.dumps(sign))


class SegmentsApp(faust.App):  # type: ignore[misc] # Faust is untyped
    """A Faust app that connects our adapters when it starts, and keeps nothing on disk."""

    program: Program

    async def on_start(self) -> None:
        """Connect before the consumer does."""
        await self.program.start()
        await super().on_start()

    async def on_stop(self) -> None:
        """Stop reading first, then let the relay finish."""
        await super().on_stop()
        await self.program.stop()

    def _create_directories(self) -> None:
        """No tables, no directories."""


def _faust_app(settings: Settings, program: Program) -> SegmentsApp:
    """A Faust app with our transport; docs/decisions says why each setting is not the default."""
    app = SegmentsApp(
        settings.group,
        broker=[f"kafka://{server}" for server in settings.kafka_bootstrap_servers.split(",")],
        autodiscover=False,
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=settings.instance_id or None,
        broker_session_timeout=settings.session_timeout,
        broker_heartbeat_interval=settings.session_timeout / 5,
        broker_request_timeout=max(20.0, settings.session_timeout * 2),
        broker_commit_interval=1.0,
        consumer_max_fetch_size=4 * 1024 * 1024,
        stream_buffer_maxsize=2,
    )
    app.program = program
    app.transport = BatchTransport(
        [*app.conf.broker_consumer], app, loop=app.loop, owners=program.shards, topic_prefix=settings.topic_prefix
    )
    return app


def register(program: Program) -> None:
    """The one place where agents, tasks and timers meet the app."""
    app, prefix = program.app, program.settings.topic_prefix
    for topic in INPUTS:
        channel = app.topic(prefix + topic, key_serializer="raw", value_serializer="raw")
        app.agent(channel, name=f"classify-{topic}")(_agent(program))
    app.task(program.look_at_dues)
    app.task(program.stay_awake)
    app.task(program.follow_definitions)
    app.task(program.sweep)
    app.timer(HEARTBEAT)(program.beat)


def _agent(program: Program) -> Callable[[AsyncIterator[list[RecordBatch]]], Coroutine[Any, Any, None]]:
    """An agent: what was fetched of one topic, one after the other."""

    async def classify(fetched: AsyncIterator[list[RecordBatch]]) -> None:
        async for batches in fetched:
            for batch in batches:
                await program.accept(batch)

    return classify


def create_app(settings: Settings) -> SegmentsApp:
    """The Faust app of a worker.

    Raises:
        DefinitionsError: the definitions file has faults.
        OSError: it cannot be read.
    """
    text = settings.definitions_path().read_text()
    compile_definitions(text)
    return Program(settings, text).app
