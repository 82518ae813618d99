"""A topic that is followed: what comes is read once, whatever goes wrong on the way."""

from types import SimpleNamespace
from typing import Any

import pytest

from streams.kafka.following import FollowedTopic


class Consumer:
    """A consumer of one partition that gives one record at a time, and fails when told to."""

    def __init__(self, *values: bytes) -> None:
        self.values = list(values)
        self.at = 0
        self.fails_at = -1
        self.stopped = False

    async def position(self, _partition: object) -> int:
        return self.at

    async def end_offsets(self, partitions: list[Any]) -> dict[Any, int]:
        return {partitions[0]: len(self.values)}

    async def getmany(self, partition: object, timeout_ms: int) -> dict[Any, list[Any]]:
        assert timeout_ms
        if self.at == self.fails_at:
            self.fails_at = -1
            raise ConnectionError
        self.at += 1
        return {partition: [SimpleNamespace(value=self.values[self.at - 1])]}

    def seek(self, _partition: object, offset: int) -> None:
        self.at = offset

    async def stop(self) -> None:
        self.stopped = True


def following(consumer: Consumer) -> FollowedTopic:
    """A topic that is connected."""
    topic = FollowedTopic("nowhere", "definitions")
    topic._consumer = consumer
    return topic


async def test_what_has_come_since_the_last_time_is_read() -> None:
    consumer = Consumer(b"1", b"2")
    topic = following(consumer)
    assert await topic.read() == [b"1", b"2"]
    assert await topic.read() == []
    consumer.values.append(b"3")
    assert await topic.read() == [b"3"]


async def test_what_was_read_before_a_failure_is_read_again() -> None:
    consumer = Consumer(b"1", b"2", b"3")
    consumer.fails_at = 2
    topic = following(consumer)
    with pytest.raises(ConnectionError):
        await topic.read()
    assert await topic.read() == [b"1", b"2", b"3"]


async def test_there_is_nothing_to_read_of_a_topic_that_was_closed() -> None:
    consumer = Consumer(b"1")
    topic = following(consumer)
    await topic.close()
    assert consumer.stopped
    assert await topic.read() == []
