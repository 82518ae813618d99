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
from streams.kafka.patience import make_patient
from streams.shard.port import Forward
from streams.state.port import Outgoing

_BATCH_BYTES = 256 * 1024
LOOK_BACK = 1_000
"""Changes at the end of a partition among which the latest is looked for. It need not be the last: what an earlier
owner had on its way, up to two batches, may arrive after those that the next one sent."""

_LOOK_MS = 20
"""How long the broker may hold a fetch that finds nothing. Requests after it wait for it, on the same connection."""


class KafkaSink:
    """`streams.shard.port.Sink` on aiokafka: acks from all replicas, idempotent."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        """Nothing is connected before `start`."""
        self._bootstrap = bootstrap
        self._prefix = prefix
        self._producer: AIOKafkaProducer | None = None
        self._tails: AIOKafkaConsumer | None = None
        self._tail_lock = asyncio.Lock()
        self._under_way: dict[int, list[asyncio.Future[Any]]] = {}
        """Shard -> what was sent of its changes last."""

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
        self._tails = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=_LOOK_MS,
        )
        await asyncio.gather(self._producer.start(), self._tails.start())
        make_patient(self._tails._client)  # noqa: SLF001

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
        if sent := self._under_way.pop(shard, None):
            await asyncio.wait(sent)
        partition = TopicPartition(self._prefix + SEGMENT_CHANGES, shard)
        consumer = self._tails
        assert consumer is not None, "KafkaSink.start has not been called"  # noqa: S101 # a programming error
        async with self._tail_lock:
            first = (await consumer.beginning_offsets([partition]))[partition]
            end = (await consumer.end_offsets([partition]))[partition]
            if end <= first:  # none yet; or none any more, where somebody accepted a retention
                return 0
            consumer.assign([partition])
            consumer.seek(partition, max(first, end - LOOK_BACK))
            records: list[Any] = []
            while await consumer.position(partition) < end:
                records += (await consumer.getmany(partition, timeout_ms=1_000)).get(partition, [])
            consumer.pause(partition)  # or it is fetched from for ever, and each further look waits for such a fetch
        return max(_sequence(record) for record in records)

    async def send_changes(self, shard: int, rows: Sequence[Outgoing]) -> Awaitable[None]:
        """See `Sink.send_changes`."""
        topic, producer = self._prefix + SEGMENT_CHANGES, self._open
        batch = producer.create_batch()
        futures: list[asyncio.Future[Any]] = []
        self._under_way[shard] = futures  # before anything is: whoever sends may be cancelled on the way
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


def _sequence(record: Any) -> int:
    try:
        return int(orjson.loads(record.value)["sequence"])
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        raise TailError(
            f"{record.topic}[{record.partition}] has a record at offset {record.offset} that is no segment change; "
            "only the classifier may write there"
        ) from None


async def _all(futures: Sequence[Awaitable[Any]]) -> None:
    """Wait for all; whoever stops waiting does not stop what is under way."""
    await asyncio.shield(asyncio.gather(*futures))
