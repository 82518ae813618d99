"""Reads whole partitions, without a consumer group: nobody's place is moved."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from itertools import product
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
    OffsetOutOfRangeError,
)

from schemas.deadletters import MAX_RAW
from schemas.names import INPUTS
from streams.kafka.errors import TopicsError

_FETCH_MS = 20
_COORDINATOR_S, _PAUSE_S = 30.0, 0.1


class TopicReader:
    """Partitions of the topics of one installation. Use with `async with`."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        """Nothing is connected yet."""
        self._bootstrap = bootstrap
        self._prefix = prefix
        self._consumer = AIOKafkaConsumer(
            fetch_max_wait_ms=_FETCH_MS,
            bootstrap_servers=bootstrap,
            enable_auto_commit=False,
            max_partition_fetch_bytes=2 * MAX_RAW,
            auto_offset_reset="none",  # a record that is gone must not be passed over without a word
        )

    async def __aenter__(self) -> Self:
        """Connect."""
        await self._consumer.start()
        client = self._consumer._client  # noqa: SLF001 # see `_learn`
        client.set_topics = lambda topics: [client.add_topic(topic) for topic in topics]
        return self

    async def __aexit__(self, *_exception: object) -> None:
        """Disconnect."""
        await self._consumer.stop()

    async def _learn(self, topics: Iterable[str]) -> None:
        """Find out where topics are, all at once.

        aiokafka knows only of the topics that were assigned last, and learns of any other by asking, one by one, and
        again after 0.1 s, since what it asked first was about those.
        """
        client = self._consumer._client  # noqa: SLF001 # it has no other way to be told of topics
        unknown = {self._prefix + topic for topic in topics} - client._topics  # noqa: SLF001
        if unknown:
            client._topics.update(unknown)  # noqa: SLF001
            await client.force_metadata_update()

    async def spans(self, topics: Iterable[str], shards: Iterable[int]) -> dict[tuple[str, int], tuple[int, int]]:
        """(topic, shard) -> (the first offset that Kafka still has, the one after the last)."""
        names = [*topics]
        await self._learn(names)
        partitions = [TopicPartition(self._prefix + topic, shard) for topic, shard in product(names, shards)]
        starts = await self._consumer.beginning_offsets(partitions)
        ends = await self._consumer.end_offsets(partitions)
        return {(tp.topic.removeprefix(self._prefix), tp.partition): (starts[tp], ends[tp]) for tp in partitions}

    async def end(self, topic: str, shard: int) -> int:
        """The offset after the last record."""
        await self._learn([topic])
        partition = TopicPartition(self._prefix + topic, shard)
        return int((await self._consumer.end_offsets([partition]))[partition])

    async def records(self, topic: str, shard: int, start: int, end: int) -> AsyncIterator[Sequence[Any]]:
        """Runs of records from an offset up to before another.

        Raises:
            TopicsError: Kafka's retention took the first of them.
        """
        partition = TopicPartition(self._prefix + topic, shard)
        if start >= end:
            return
        self._consumer.assign([partition])
        self._consumer.seek(partition, start)
        while await self._consumer.position(partition) < end:
            try:
                found = await self._consumer.getmany(partition, timeout_ms=1_000)
            except OffsetOutOfRangeError:
                place = f"{partition.topic}[{shard}] at offset {await self._consumer.position(partition)}"
                raise TopicsError(f"{place} is no longer in Kafka: its retention took it; try again") from None
            for run in found.values():
                yield [record for record in run if record.offset < end]

    async def committed(self, group: str) -> dict[tuple[str, int], int]:
        """(input topic, shard) -> the offset that a consumer group has committed."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
        await admin.start()
        try:
            found = await _offsets(admin, group)
        finally:
            await admin.close()
        names = {self._prefix + topic: topic for topic in INPUTS}
        return {
            (names[tp.topic], tp.partition): row.offset
            for tp, row in found.items()
            if tp.topic in names and row.offset >= 0
        }


async def _offsets(admin: AIOKafkaAdminClient, group: str) -> Any:
    """What a group has committed. A broker that was never asked first has to make a topic for that."""
    end = time.monotonic() + _COORDINATOR_S
    while True:
        try:
            return await admin.list_consumer_group_offsets(group)
        except (GroupCoordinatorNotAvailableError, NotCoordinatorForGroupError, GroupLoadInProgressError):
            if time.monotonic() > end:
                raise
        await asyncio.sleep(_PAUSE_S)
