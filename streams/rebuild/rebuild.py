"""rebuild itself: one shard after the other is made anew, put in place, and seen to speak again."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol
from uuid import uuid4

from redis.asyncio import Redis

from schemas.instants import NEVER
from schemas.names import INPUTS
from streams.clock import clock_of, wall_clock
from streams.kafka.history import KafkaHistory
from streams.kafka.sink import KafkaSink
from streams.kafka.topics import ensure_topics
from streams.rebuild.merging import Piece, merged
from streams.rebuild.ports import MutedSink, NoInputs, Past
from streams.settings import Settings
from streams.shard.port import RecordBatch, Versions
from streams.shard.shard import Limits, Ports, Shard
from streams.state import keys
from streams.state.port import FencedError, HistoryError
from streams.state.reader import Reader
from streams.state.redis_store import RedisStore, connect
from streams.state.staging import Staging
from streams.versions import in_force

NEAR = 2_000
"""Records that may be left to read when the rebuilt state takes over: the live shard reads them in silence."""
PATIENCE = 60.0
"""Seconds that a live worker is given to say the differences."""
_POLL = 0.1


class Watch(Protocol):
    """Somebody who wants to see how far it is."""

    def begin(self, shard: int, total: int) -> None:
        """So many records of a shard are to be read, or more: workers go on meanwhile."""

    def advance(self, count: int) -> None:
        """So many more were."""


@dataclass(frozen=True)
class Rebuilt:
    """What came of one shard."""

    shard: int
    records: int
    """Input records that were read."""
    customers: int
    speaks: bool = False
    """The differences are said. False: they will be, by the worker that takes the shard next."""


async def rebuild(
    settings: Settings, only: Iterable[int] | None = None, *, watch: Watch, incomplete: bool = False
) -> list[Rebuilt]:
    """Make the state of some shards anew from the inputs, and put it in the place of the live one.

    Args:
        settings: where Kafka and Redis are.
        only: the shards; all if not given.
        watch: is told how far it is.
        incomplete: go on although Kafka no longer has the first records.

    Raises:
        HistoryError: Kafka no longer has the first records.
        TopologyError: the topics have another number of partitions than the state has shards.
    """
    count = await ensure_topics(
        settings.kafka_bootstrap_servers, settings.topic_prefix, settings.partitions, settings.replication
    )
    async with AsyncExitStack() as stack:
        redis = connect(settings.redis_url, patience=5)
        stack.push_async_callback(redis.aclose)
        await RedisStore(redis).topology(count)
        sink = KafkaSink(settings.kafka_bootstrap_servers, settings.topic_prefix)
        await sink.start()
        stack.push_async_callback(sink.stop)
        history = KafkaHistory(settings.kafka_bootstrap_servers, settings.topic_prefix, settings.group)
        versions = await in_force(settings)
        workshop = _Workshop(settings, versions, redis, sink, history, watch, count, incomplete=incomplete)
        made = [await workshop.rebuild(shard) for shard in (range(count) if only is None else only)]
        # Waited for at the end: a worker looks every few seconds whether its shards are still what they were.
        return [replace(one, speaks=await workshop.speaks(one.shard)) for one in made]


@dataclass
class _Workshop:
    """What it takes to rebuild shards."""

    settings: Settings
    versions: Versions
    redis: Redis
    sink: KafkaSink
    history: KafkaHistory
    watch: Watch
    shards: int
    incomplete: bool

    def __post_init__(self) -> None:
        self.reader = Reader(self.redis)
        self.staging = Staging(self.redis)
        self.limits = Limits(customers=self.settings.customers_in_memory, batch=self.settings.batch)

    async def rebuild(self, shard: int) -> Rebuilt:
        """Make one shard anew, and put it in the place of the live one."""
        token = uuid4().hex
        try:
            records, silent = await self._make(shard, token)
            await self.staging.cut_over(
                shard, token, silent, [segment.key for segment in self.versions.latest.segments]
            )
        except BaseException:
            await self.staging.discard(shard)
            raise
        customers: Any = await self.redis.hlen(keys.profiles_key(shard))
        return Rebuilt(shard, records, customers)

    async def _make(self, shard: int, token: str) -> tuple[int, dict[str, int]]:
        """Read a shard's inputs into a state of its own; how many, and up to where it must stay silent at least.

        While the live state is sound, nothing is read that it has not applied: whatever had to be refused or forwarded
        has been. Where it has lost changes, everything there is has to be read.
        """
        tail, place = await self.sink.tail(shard), await self.reader.place(shard)
        sound = tail <= place.sequence
        bounds = await self.history.bounds(shard)
        ends = {topic: end for topic, (_first, end) in bounds.items()}
        _check_ends(shard, place.offsets, ends)
        past = Past(self.history, dict.fromkeys(INPUTS, NEVER) if sound else None, self.incomplete)
        store = RedisStore(self.redis, keys.REBUILD)
        ports = self._ports(store, past, MutedSink(self.sink, tail))
        await self.staging.begin(shard, token)
        made = Shard(shard, self.shards, self.versions, ports, self.limits)
        await made.open()
        if self.incomplete:
            await made.read_on({topic: first for topic, (first, _end) in bounds.items()})
        goal = place.offsets if sound else ends
        self.watch.begin(shard, sum(goal.values()))
        left = NEAR + 1
        while left > NEAR:
            await self._feed(made, goal)
            goal = (await self.reader.place(shard)).offsets if sound else ends
            left = sum(goal[topic] - offset for topic, offset in made.offsets.items())
        return made.applied, dict.fromkeys(INPUTS, 0) if sound else ends

    async def _feed(self, made: Shard, goal: Mapping[str, int]) -> None:
        """Have a shard apply its inputs up to some offsets."""
        spans = {topic: (offset, goal[topic]) for topic, offset in made.offsets.items()}
        kafka, prefix = self.settings.kafka_bootstrap_servers, self.settings.topic_prefix
        async for piece in merged(kafka, prefix, made.number, spans, self.limits.batch):
            await made.process(*_batches(made, piece))
            self.watch.advance(sum(len(records) for records in piece.values()))

    def _ports(self, store: RedisStore, past: Past | KafkaHistory, sink: MutedSink | KafkaSink) -> Ports:
        settings = self.settings
        return Ports(store, sink, past, NoInputs(), clock_of(settings), wall_clock, settings.allowed_skew)

    async def speaks(self, shard: int) -> bool:
        """Wait until the worker that has the shard says the differences; where no worker runs at all, say them."""
        end = time.monotonic() + PATIENCE
        while (await self.reader.place(shard)).silent:
            if not await self.reader.alive(wall_clock()):
                ours = Shard(
                    shard,
                    self.shards,
                    self.versions,
                    self._ports(RedisStore(self.redis), self.history, self.sink),
                    self.limits,
                )
                with suppress(FencedError):  # a worker has started meanwhile
                    await ours.open()
                    await ours.close()
                    return not ours.is_silent
            if time.monotonic() > end:
                return False
            await asyncio.sleep(_POLL)
        return True


def _check_ends(shard: int, offsets: Mapping[str, int], ends: Mapping[str, int]) -> None:
    """Whether Kafka has the records that the live state has applied last; else they would be waited for.

    Raises:
        HistoryError: it has not.
    """
    for topic, offset in offsets.items():
        if offset > ends[topic]:
            raise HistoryError(
                f"{topic}[{shard}] was applied up to offset {offset}, and Kafka's log ends at {ends[topic]}: "
                "first start a worker once with SEGMENTS_ALLOW_UNSAFE=gap"
            )


def _batches(made: Shard, piece: Piece) -> list[RecordBatch]:
    """Records as a shard takes them."""
    return [
        RecordBatch(topic, made.number, made.epoch, made.offsets[topic], records[-1].offset + 1, records)
        for topic, records in piece.items()
    ]
