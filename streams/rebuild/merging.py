"""The inputs of a shard in about the order in which they came: by the timestamps that Kafka has of them."""

from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from typing import Any

from streams.kafka.reading import TopicReader

Piece = dict[str, list[Any]]
"""Input topic -> records, in order of offsets."""


async def merged(
    bootstrap: str, prefix: str, shard: int, spans: Mapping[str, tuple[int, int]], size: int
) -> AsyncIterator[Piece]:
    """Records of several topics, at most `size` at a time.

    Args:
        bootstrap: bootstrap servers.
        prefix: put before every topic name.
        shard: the partition.
        spans: input topic -> (the offset to begin with, the one to end before).
        size: most records of one piece.
    """
    async with AsyncExitStack() as stack:
        flows = []
        for topic, (start, end) in spans.items():
            reader = await stack.enter_async_context(TopicReader(bootstrap, prefix))
            flows.append(_Flow(topic, reader.records(topic, shard, start, end)))
        while flows := [flow for flow in flows if await flow.fill()]:
            yield _piece(flows, size)


class _Flow:
    """The records of one topic that were read and not taken yet."""

    def __init__(self, topic: str, runs: AsyncIterator[Any]) -> None:
        self.topic = topic
        self.records: deque[Any] = deque()
        self._runs = runs

    async def fill(self) -> bool:
        """Read on if there is nothing; whether there is something now."""
        while not self.records:
            try:
                self.records.extend(await anext(self._runs))
            except StopAsyncIteration:
                return False
        return True


def _piece(flows: list[_Flow], size: int) -> Piece:
    """The earliest records, up to where the next one of some topic is not known."""
    piece: Piece = {flow.topic: [] for flow in flows}
    for _number in range(size):
        first = min(flows, key=lambda flow: flow.records[0].timestamp)
        piece[first.topic].append(first.records.popleft())
        if not first.records:
            break
    return {topic: records for topic, records in piece.items() if records}
