"""The change stream as a subscriber reads it: every change once, by shard and sequence."""

import asyncio
from collections.abc import AsyncIterator, Collection
from typing import Self

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.names import SEGMENT_CHANGES
from schemas.transitions import CauseKind, SegmentChange


class ChangeStream:
    """All partitions of `segment-changes`, without a consumer group: for looking on, not for doing."""

    def __init__(
        self,
        bootstrap: str,
        topic_prefix: str = "",
        *,
        from_start: bool = False,
        without: Collection[CauseKind] = (),
    ) -> None:
        """Changes as they come.

        Args:
            bootstrap: Kafka's bootstrap servers.
            topic_prefix: put before every topic name.
            from_start: from the oldest change that Kafka still has, not from now on.
            without: causes of changes that do not count here: whoever greets new members may not want to greet those
                whom an edit of the definitions put in (`definition`). `memberships` of later changes name them still.
        """
        self._without = frozenset(without)
        self._topic = topic_prefix + SEGMENT_CHANGES
        self._from_start = from_start
        self._consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
        self._seen: dict[int, int] = {}
        self.repeated = 0
        """Changes that came again and were dropped."""
        self.left_out = 0
        """Changes of a cause that does not count."""

    async def __aenter__(self) -> Self:
        """Connect, and find the place to start from: what comes after this is not missed."""
        await self._consumer.start()
        partitions = self._consumer.partitions_for_topic(self._topic)
        while not partitions:
            await asyncio.sleep(0.1)
            await self._consumer._client.force_metadata_update()  # noqa: SLF001 # no public way to ask again
            partitions = self._consumer.partitions_for_topic(self._topic)
        assigned = [TopicPartition(self._topic, number) for number in sorted(partitions)]
        self._consumer.assign(assigned)
        if self._from_start:
            await self._consumer.seek_to_beginning(*assigned)
        else:
            await self._consumer.seek_to_end(*assigned)
            await asyncio.gather(*(self._consumer.position(partition) for partition in assigned))
        return self

    async def __aexit__(self, *_exception: object) -> None:
        """Disconnect."""
        await self._consumer.stop()

    async def __aiter__(self) -> AsyncIterator[SegmentChange]:
        """Changes as they come; not what was seen already, by shard and sequence, nor what is of a cause left out."""
        async for record in self._consumer:
            change = SegmentChange.model_validate_json(record.value)
            if change.sequence <= self._seen.get(change.shard, 0):
                self.repeated += 1
                continue
            self._seen[change.shard] = change.sequence
            if change.cause.kind in self._without:
                self.left_out += 1
                continue
            yield change
