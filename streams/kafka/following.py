"""A compacted topic of one partition: read whole, then followed; and written to, seldom."""

import asyncio
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

_FETCH_MS = 20


class FollowedTopic:
    """One topic that everybody reads from its beginning. Connects when it is first asked."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        """Of that name, prefix included."""
        self._bootstrap = bootstrap
        self._partition = TopicPartition(topic, 0)
        self._consumer: Any = None
        self._asking = asyncio.Lock()
        self._closed = False

    async def read(self) -> list[bytes | None]:
        """What has come since the last time, up to the end that the topic has now; nothing where there is no topic.

        Raises:
            KafkaError: Kafka cannot be reached.
        """
        async with self._asking:
            consumer = await self._connected()
            if consumer is None:
                return []
            start = await consumer.position(self._partition)
            try:
                return await self._to_the_end(consumer)
            except BaseException:  # what was read so far is read again, not left out
                consumer.seek(self._partition, start)
                raise

    async def _to_the_end(self, consumer: Any) -> list[bytes | None]:
        end = (await consumer.end_offsets([self._partition]))[self._partition]
        found: list[bytes | None] = []
        while await consumer.position(self._partition) < end:
            runs = await consumer.getmany(self._partition, timeout_ms=1_000)
            found += [record.value for run in runs.values() for record in run]
        return found

    async def append(self, key: str, value: bytes) -> None:
        """Write a message, and wait until all replicas have it.

        Raises:
            KafkaError: it may have been written or not.
        """
        producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap, acks="all", enable_idempotence=True)
        await producer.start()
        try:
            await producer.send_and_wait(self._partition.topic, value, key=key.encode(), partition=0)
        finally:
            await producer.stop()

    async def close(self) -> None:
        """Disconnect, after what is being read; from then on there is nothing to read."""
        async with self._asking:
            consumer, self._consumer, self._closed = self._consumer, None, True
        if consumer is not None:
            await consumer.stop()

    async def _connected(self) -> Any:
        """The consumer at its place; None: there is no such topic. To ask for one that is missing would make it."""
        if self._consumer is None and not self._closed:
            consumer = AIOKafkaConsumer(
                bootstrap_servers=self._bootstrap,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                fetch_max_wait_ms=_FETCH_MS,
            )
            await consumer.start()
            if self._partition.topic not in await consumer.topics():
                await consumer.stop()
                return None
            consumer.assign([self._partition])
            await consumer.seek_to_beginning(self._partition)
            self._consumer = consumer
        return self._consumer
