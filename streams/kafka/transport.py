"""Faust's transport, taught two things: record batches, and offsets that stand in Redis.

A Faust agent event by event handles some 6,600 events/s; handed a whole fetched run of a partition as one message, the
same agent handles tens of times that. And Faust keeps its place in Kafka's group offsets, which a crash can separate
from the state; ours stand in the state itself, and reading is sought to them at every assignment.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, Protocol

from aiokafka.errors import IllegalStateError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from schemas.names import INPUTS
from streams.kafka.errors import GapError
from streams.kafka.fetching import Run, Runs, arrivals_of, take_fetched
from streams.kafka.patience import make_patient
from streams.shard.port import RecordBatch


class Owners(Protocol):
    """Who takes and gives up shards."""

    async def take(self, shards: set[int]) -> dict[int, tuple[int, dict[str, int]]]:
        """Own exactly these shards from now on; shard -> (epoch, input topic -> offset to read next)."""

    async def begin(self, spans: Mapping[tuple[str, int], tuple[int, int]]) -> Mapping[tuple[str, int], int]:
        """Hear what Kafka has, once no other worker can commit any more; (topic, shard) -> where to read instead.

        Args:
            spans: (input topic, shard) -> (the first offset that Kafka has, the one after the last).

        Raises:
            GapError: what is to be read next is not in Kafka.
        """

    def applied(self, topic: str, shard: int) -> int | None:
        """The offset that the state has been brought up to; None where the shard is not owned."""


FETCH_WAIT_MS = 100
"""How long the broker may hold a fetch that finds nothing. With Faust's 1,500 ms, a click would wait for the next
support contact where its partition was not among those asked for (`streams.kafka.fetching`)."""
MAX_ASTRAY = 5
"""Times that reading is sought back to where it should go on before that is taken to be impossible."""


class PromptConsumerThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc] # Faust is untyped
    """Faust's reading thread, with a short fetch wait, which Faust has no setting for, and runs instead of records."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS  # noqa: SLF001 # read when it starts
        make_patient(consumer._client)  # noqa: SLF001
        return consumer

    async def _fetch_records(
        self,
        consumer: Any,
        active_partitions: set[TP],
        timeout: float | None = None,  # noqa: ASYNC109 # Faust's signature
        max_records: int | None = None,
    ) -> Runs:
        """All that was fetched, however many records it is: a shard takes as many as it wants at a time."""
        del max_records
        if not self.consumer.flow_active:
            return {}
        fetcher = consumer._fetcher  # noqa: SLF001 # as Faust's own does
        if consumer._closed or fetcher._closed:  # noqa: SLF001
            raise driver.ConsumerStoppedError
        with fetcher._subscriptions.fetch_context():  # noqa: SLF001
            return await take_fetched(fetcher, active_partitions, timeout or 0.0)

    async def _seek_wait(self, consumer: Any, partitions: Mapping[TP, int]) -> None:
        """As Faust's own; and what was fetched from before the seek is forgotten.

        What a rebalance has taken meanwhile is left out: whoever has it next seeks it.
        """
        ours = {tp: offset for tp, offset in partitions.items() if tp in consumer.assignment()}
        arrivals_of(consumer._fetcher).forget(ours)  # noqa: SLF001
        try:
            await super()._seek_wait(consumer, ours)
        except IllegalStateError:
            if ours.keys() <= consumer.assignment():
                raise


class BatchConsumer(driver.Consumer):  # type: ignore[misc] # Faust is untyped
    """Yields one message per topic of what was fetched; its value is a list of `RecordBatch`."""

    transport: "BatchTransport"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """As Faust's own."""
        super().__init__(*args, **kwargs)
        self._next: dict[TP, int] = {}
        self._epochs: dict[int, int] = {}
        self._taking = asyncio.Lock()
        self._dropped: set[TP] = set()
        """Partitions of which something was fetched and dropped; it may be that they were sought beforehand."""
        self._astray: dict[TP, int] = {}
        """Partition -> how often in a row it was sought back to where it should have been read on."""

    def _new_consumer_thread(self) -> Any:
        return PromptConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Take the assigned shards, and seek to the offsets that their state has been brought up to.

        Faust calls this after each assignment, and trusts the offsets that it returns. `Program` may have called it
        just before: the shards are taken one time after the other, or the epochs of one would meet the other's offsets.
        """
        async with self._taking:
            return await self._take_and_seek()

    async def _take_and_seek(self) -> Mapping[TP, int]:
        prefix = self.transport.topic_prefix
        assigned = self.assignment()
        shards = {tp.partition for tp in assigned if tp.topic.removeprefix(prefix) in INPUTS}
        self._next.clear()
        self._dropped.clear()
        self._astray.clear()
        taken = await self.transport.owners.take(shards)
        offsets = {
            TP(prefix + topic, shard): offset
            for shard, (_epoch, by_topic) in taken.items()
            for topic, offset in by_topic.items()
        }
        offsets = {tp: offset for tp, offset in offsets.items() if tp in assigned}
        elsewhere = await self.transport.owners.begin(await self.spans(offsets))
        offsets |= {TP(prefix + topic, shard): offset for (topic, shard), offset in elsewhere.items()}
        await self.seek_wait(offsets)
        self._epochs = {shard: epoch for shard, (epoch, _offsets) in taken.items()}
        self._next.update(offsets)
        return offsets

    async def spans(self, partitions: Iterable[TP]) -> dict[tuple[str, int], tuple[int, int]]:
        """What Kafka has of some input partitions; see `Owners.begin`."""
        wanted = [*partitions]
        if not wanted:
            return {}
        firsts, ends = await self.earliest_offsets(*wanted), await self.highwaters(*wanted)
        prefix = self.transport.topic_prefix
        return {(tp.topic.removeprefix(prefix), tp.partition): (firsts[tp], ends[tp]) for tp in wanted}

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:  # noqa: ASYNC109 # Faust's signature
        """Runs of records, those of one topic in one message: Faust spends its time on messages."""
        records, active = await self._wait_next_records(timeout)
        generation = self.app.consumer_generation_id
        if records is None or self.should_stop:
            return
        if not self.flow_active:
            self._dropped.update(records)  # a rebalance is under way; its seek comes, or came before the fetch
            return
        topics: dict[str, list[RecordBatch]] = {}
        astray = self._dropped & self._next.keys()
        self._dropped -= astray
        for tp, run in records.items():
            if active is not None and tp not in active and tp not in self._buffered_partitions:
                self._dropped.add(tp)
                continue
            batch = self._batch(tp, run)
            if batch is not None:
                astray.discard(tp)
                topics.setdefault(tp.topic, []).append(batch)
            else:
                (astray if tp in self._next else self._dropped).add(tp)
        if astray:
            await self._seek_back(astray)
        for topic, batches in topics.items():
            if not self.flow_active or self.app.consumer_generation_id != generation:
                return
            tp = TP(topic, batches[-1].shard)
            yield tp, self._message(tp, batches)

    def _message(self, tp: TP, batches: list[RecordBatch]) -> driver.ConsumerMessage:
        """What Faust hands on: it stands for the last record of the last batch; only its value is looked at."""
        return driver.ConsumerMessage(
            topic=tp.topic,
            partition=tp.partition,
            offset=batches[-1].end - 1,
            timestamp=0.0,
            timestamp_type=0,
            headers=None,
            key=None,
            value=batches,
            checksum=None,
            tp=tp,
            generation_id=self.app.consumer_generation_id,
        )

    def _batch(self, tp: TP, run: Run) -> RecordBatch | None:
        """A run as a batch that starts where the one before ended; None if it does not.

        Then it was read before the last seek, or one before it was dropped: fetched after a seek, but before the flow
        was resumed.
        """
        start = self._next.get(tp)
        if start != run.start:
            return None
        self._astray.pop(tp, None)
        self._next[tp] = run.end
        topic = tp.topic.removeprefix(self.transport.topic_prefix)
        return RecordBatch(topic, tp.partition, self._epochs[tp.partition], start, run.end, run.records)

    async def _seek_back(self, astray: set[TP]) -> None:
        """Have partitions read on from where they should be.

        Raises:
            GapError: that was of no use.
        """
        for tp in astray:
            self._astray[tp] = times = self._astray.get(tp, 0) + 1
            if times > MAX_ASTRAY:
                raise GapError(
                    f"offset {self._next[tp]} of {tp.topic}[{tp.partition}] is to be read next, but Kafka only gives "
                    "others: what is between is past the topic's retention, and those events are lost"
                )
        await self.seek_wait({tp: self._next[tp] for tp in astray})

    def _new_offset(self, tp: TP) -> int | None:
        """The group offset to commit, for lag monitors only: what is in the state, never ahead of it."""
        self._acked[tp].clear()
        self._acked_index[tp].clear()
        return self.transport.owners.applied(tp.topic.removeprefix(self.transport.topic_prefix), tp.partition)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Gaps do not matter to us: reading is sought to the offsets in Redis."""


class BatchTransport(driver.Transport):  # type: ignore[misc] # Faust is untyped
    """Faust's aiokafka transport with our consumer."""

    Consumer = BatchConsumer

    def __init__(self, *args: Any, owners: Owners, topic_prefix: str, **kwargs: Any) -> None:
        """Remember who owns shards."""
        super().__init__(*args, **kwargs)
        self.owners = owners
        self.topic_prefix = topic_prefix
