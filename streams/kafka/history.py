"""What Kafka knows of a shard's past: read whole, when its state in Redis has to be made anew."""

from collections.abc import AsyncIterator

import orjson

from schemas.names import DEAD_LETTERS, INPUTS, SEGMENT_CHANGES
from streams.kafka.reading import TopicReader


class KafkaHistory:
    """`streams.shard.port.History`. Connects when it is asked: that is seldom."""

    def __init__(self, bootstrap: str, prefix: str, group: str) -> None:
        """`group` is the workers' consumer group."""
        self._bootstrap = bootstrap
        self._prefix = prefix
        self._group = group

    def _reader(self) -> TopicReader:
        return TopicReader(self._bootstrap, self._prefix)

    async def bounds(self, shard: int) -> dict[str, tuple[int, int]]:
        """See `History.bounds`."""
        async with self._reader() as reader:
            spans = await reader.spans(INPUTS, [shard])
        return {topic: span for (topic, _shard), span in spans.items()}

    async def settled(self, shard: int) -> dict[str, int]:
        """See `History.settled`: the group's offsets are committed after what was applied is stored."""
        async with self._reader() as reader:
            committed = await reader.committed(self._group)
        return {topic: offset for (topic, number), offset in committed.items() if number == shard}

    async def refused(self, shard: int) -> set[tuple[str, int]]:
        """See `History.refused`."""
        found: set[tuple[str, int]] = set()
        async with self._reader() as reader:
            ((start, end),) = (await reader.spans([DEAD_LETTERS], [shard])).values()
            async for run in reader.records(DEAD_LETTERS, shard, start, end):
                letters = [orjson.loads(record.value) for record in run]
                found |= {(letter["topic"], letter["offset"]) for letter in letters}
        return found

    async def changes(self, shard: int, after: int) -> AsyncIterator[bytes]:
        """See `History.changes`."""
        async with self._reader() as reader:
            ((start, end),) = (await reader.spans([SEGMENT_CHANGES], [shard])).values()
            last = after
            start = await _first_offset(reader, shard, after, start, end)
            async for run in reader.records(SEGMENT_CHANGES, shard, start, end):
                for record in run:
                    sequence = orjson.loads(record.value)["sequence"]
                    if sequence > last:
                        last = sequence
                        yield record.value


async def _first_offset(reader: TopicReader, shard: int, after: int, start: int, end: int) -> int:
    """An offset that no later change than `after` stands before.

    Sequences rise by one from record to record. What was sent twice only moves later ones further back, and may stand
    anywhere, so the place cannot be searched for.
    """
    if start > 0 or end == 0:
        return start
    async for run in reader.records(SEGMENT_CHANGES, shard, 0, 1):
        for record in run:
            return min(end, max(0, after + 1 - int(orjson.loads(record.value)["sequence"])))
    return start
