"""Output to Kafka: transitions in order and without doubles, dead letters, forwarded events."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schemas.deadletters import MAX_LETTER, DeadLetter
from schemas.names import DEAD_LETTERS, REROUTED, SEGMENT_CHANGES
from schemas.transitions import headers_of
from streams.kafka.errors import TailError
from streams.shard.port import Forward
from streams.state.port import Outgoing

_BATCH_BYTES = 256 * 1024


class KafkaSink:
    """`streams.shard.port.Sink` on aiokafka: acks from all replicas, idempotent."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        """Nothing is connected before `start`."""
        self._bootstrap = bootstrap
        self._prefix = prefix
        self._producer: AIOKafkaProducer | None = None
        self._tails: AIOKafkaConsumer | None = None
        self._tail_lock = asyncio.Lock()

    async def start(self) -> None:
        """Connect."""
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            max_batch_size=_BATCH_BYTES,
            max_request_size=MAX_LETTER,
            request_timeout_ms=30_000,
        )
        self._tails = AIOKafkaConsumer(bootstrap_servers=self._bootstrap, enable_auto_commit=False)
        await asyncio.gather(self._producer.start(), self._tails.start())

    async def stop(self) -> None:
        """Send what is waiting, and disconnect."""
        if self._producer is not None and self._tails is not None:
            await asyncio.gather(self._producer.stop(), self._tails.stop())

    @property
    def _open(self) -> AIOKafkaProducer:
        assert self._producer is not None, "KafkaSink.start has not been called"  # noqa: S101 # a programming error
        return self._producer

    async def tail(self, shard: int) -> int:
        """See `Sink.tail`."""
        partition = TopicPartition(self._prefix + SEGMENT_CHANGES, shard)
        consumer = self._tails
        assert consumer is not None, "KafkaSink.start has not been called"  # noqa: S101 # a programming error
        async with self._tail_lock:
            end = (await consumer.end_offsets([partition]))[partition]
            if end == 0:
                return 0
            consumer.assign([partition])
            consumer.seek(partition, end - 1)
            record = await consumer.getone()
        try:
            return int(orjson.loads(record.value)["sequence"])
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            raise TailError(
                f"{partition.topic}[{shard}] ends at offset {end - 1} with a record that is no segment change; "
                "only the classifier may write there"
            ) from None

    async def send_changes(self, shard: int, rows: Sequence[Outgoing]) -> Awaitable[None]:
        """See `Sink.send_changes`."""
        topic, producer = self._prefix + SEGMENT_CHANGES, self._open
        batch, futures = producer.create_batch(), []
        for row in rows:
            headers = row.headers or headers_of(orjson.loads(row.value))
            if batch.append(key=row.key, value=row.value, timestamp=None, headers=headers) is None:
                batch.close()
                futures.append(await producer.send_batch(batch, topic, partition=shard))
                batch = producer.create_batch()
                batch.append(key=row.key, value=row.value, timestamp=None, headers=headers)
        batch.close()
        futures.append(await producer.send_batch(batch, topic, partition=shard))
        return _all(futures)

    async def send_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        """See `Sink.send_dead_letters`."""
        topic = self._prefix + DEAD_LETTERS
        futures = [
            await self._open.send(topic, letter.model_dump_json().encode(), partition=letter.partition)
            for letter in letters
        ]
        await _all(futures)

    async def send_forwards(self, forwards: Sequence[Forward]) -> None:
        """See `Sink.send_forwards`."""
        topic = self._prefix + REROUTED
        futures = [await self._open.send(topic, row.value, key=row.key, partition=row.shard) for row in forwards]
        await _all(futures)


async def _all(futures: Sequence[Awaitable[Any]]) -> None:
    await asyncio.gather(*futures)
