"""What the simulator found, each as the least that shows it. The seeds are those that it was found with."""

import asyncio
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from schemas.names import ORDERS
from streams.kafka.errors import GapError
from streams.kafka.fetching import Run
from streams.kafka.transport import MAX_ASTRAY, BatchConsumer
from streams.shard.port import RecordBatch
from streams.shard.shard import Limits, Ports
from streams.shards import PATIENCE, Shards
from streams.state.memory import MemoryStore
from streams.versions import Given
from tests.simulation.broker import Stored
from tests.simulation.plan import definitions
from tests.simulation.reading import SimulatedConsumer


class NoKafka:
    """A sink that nothing is sent to, and inputs that are read to their end."""

    async def tail(self, _shard: int) -> int:
        return 0

    async def send_dead_letters(self, _letters: object) -> None:
        pass

    def end(self, _topic: str, _shard: int) -> int:
        return 0


def shards_on(store: MemoryStore) -> Shards:
    kafka: Any = NoKafka()
    shards = Shards(Given(definitions()), Ports(store, kafka, kafka, kafka, lambda: 0, lambda: 0), Limits())
    shards.count = 1
    return shards


async def test_a_shard_that_nobody_has_after_it_was_fenced_off_is_taken_back() -> None:
    """Seeds 183, 218, 226: redis-py sent a claim again, and the first copy of it arrived after the second.

    The worker was fenced off by itself, took that for another worker, and forgot the shard: nobody read it any more
    until the next rebalance. The same happens when a zombie claims a shard by an assignment of long ago, and dies.
    """
    store = MemoryStore()
    shards = shards_on(store)
    await shards.take({0})
    await store.claim(0)
    batch = RecordBatch(ORDERS, 0, 1, 0, 1, [Stored(0, None, None)])
    assert await shards.process(batch)
    assert shards.owned == {}
    looks = [await shards.settle_due() for _ in range(PATIENCE)]
    assert looks == [True] * (PATIENCE - 1) + [False]
    await shards.take({0})
    assert list(shards.owned) == [0]
    assert await shards.settle_due()


class Faust:
    """Faust's side of the consumer: what was fetched next, and where it was sought."""

    client_only = should_stop = False
    consumer_generation_id = 1


class Reader(SimulatedConsumer):
    """The consumer, given what it fetches, call by call."""

    def __init__(self, fetches: Iterable[dict[TP, Run]], committed: dict[str, int]) -> None:
        owners = SimpleNamespace(take=self._take, begin=_nowhere)
        super().__init__(Faust(), owners)
        self.fetches = iter(fetches)
        self.committed = committed
        self.sought: list[dict[TP, int]] = []
        self._active_partitions = {ORDERS_0}

    async def _take(self, _shards: set[int]) -> dict[int, tuple[int, dict[str, int]]]:
        return {0: (7, self.committed)}

    def assignment(self) -> set[TP]:
        return {ORDERS_0}

    async def spans(self, partitions: Any) -> dict[tuple[str, int], tuple[int, int]]:
        return {(tp.topic, tp.partition): (0, 100) for tp in partitions}

    async def seek_wait(self, partitions: Any) -> None:
        self.sought.append(dict(partitions))

    async def _getmany(self, active_partitions: set[TP], timeout: float) -> dict[TP, Run]:  # noqa: ARG002, ASYNC109
        return next(self.fetches)

    async def batches(self) -> list[tuple[int, int]]:
        """What one call of `getmany` comes to: (start, end) of each batch."""
        return [(b.start, b.end) async for _tp, message in self.getmany(1.0) for b in message.value]


async def _nowhere(_spans: object) -> dict[tuple[str, int], int]:
    return {}


ORDERS_0 = TP(ORDERS, 0)


def fetched(start: int, end: int) -> dict[TP, Run]:
    return {ORDERS_0: Run(start, end, [Stored(offset, None, b"") for offset in range(start, end)])}


async def test_what_was_fetched_between_a_seek_and_the_resumed_flow_is_read_again() -> None:
    """Seed 1662: record 13 was fetched after the seek to 13, and dropped because the flow was not yet resumed.

    What came next, 14 and 15, was taken for the batch from 13 on, and committed as such: 13 was never applied.
    """
    reader = Reader([fetched(13, 14), fetched(14, 16), fetched(13, 16)], {ORDERS: 13})
    await reader.seek_to_committed()
    reader.flow_active = False
    reader.can_resume_flow.set()
    assert await reader.batches() == []
    reader.flow_active = True
    assert await reader.batches() == []
    assert reader.sought == [{ORDERS_0: 13}, {ORDERS_0: 13}]
    assert await reader.batches() == [(13, 16)]


async def test_what_was_dropped_is_read_again_although_nothing_comes_after_it() -> None:
    """Seed 11688: as above, but the record that was dropped was the last: it was not applied until another came."""
    reader = Reader([fetched(17, 18), {}, fetched(17, 18)], {ORDERS: 17})
    await reader.seek_to_committed()
    reader.flow_active = False
    reader.can_resume_flow.set()
    assert await reader.batches() == []
    reader.flow_active = True
    assert await reader.batches() == []
    assert reader.sought == [{ORDERS_0: 17}] * 2
    assert await reader.batches() == [(17, 18)]


async def test_what_was_dropped_while_shards_are_taken_needs_no_seek_of_its_own() -> None:
    reader = Reader([fetched(40, 41), fetched(17, 18)], {ORDERS: 17})
    reader.flow_active = False
    reader.can_resume_flow.set()
    assert await reader.batches() == []
    await reader.seek_to_committed()
    reader.flow_active = True
    assert await reader.batches() == [(17, 18)]
    assert reader.sought == [{ORDERS_0: 17}]


async def test_shards_that_are_taken_twice_at_once_are_read_under_the_later_claim() -> None:
    """Seeds 177, 227: a rebalance and a store that was set back had the shards taken at the same time.

    The seek of the first came back last: batches bore the epoch of a claim that was void, and all were dropped.
    """
    reader = Reader([fetched(5, 6)], {ORDERS: 5})
    claims, slow = iter([(7, {ORDERS: 9}), (8, {ORDERS: 5})]), asyncio.Event()

    async def take(_shards: set[int]) -> dict[int, tuple[int, dict[str, int]]]:
        return {0: next(claims)}

    async def seek_wait(partitions: dict[TP, int]) -> None:
        if partitions == {ORDERS_0: 9}:
            await slow.wait()

    reader.transport.owners.take, reader.seek_wait = take, seek_wait  # type: ignore[method-assign] # for this test
    both = asyncio.gather(reader.seek_to_committed(), reader.seek_to_committed())
    for _ in range(10):
        await asyncio.sleep(0)
    slow.set()
    await both
    assert (reader._next, reader._epochs) == ({ORDERS_0: 5}, {0: 8})


async def test_a_gap_of_control_records_is_none() -> None:
    reader = Reader([{ORDERS_0: Run(5, 6, [])}, {ORDERS_0: Run(6, 9, [Stored(7, None, b"")])}], {ORDERS: 5})
    await reader.seek_to_committed()
    assert await reader.batches() == [(5, 6)]
    assert await reader.batches() == [(6, 9)]


async def test_reading_never_goes_on_over_records_that_kafka_has_no_more() -> None:
    reader = Reader([fetched(8, 9)] * (MAX_ASTRAY + 1), {ORDERS: 5})
    await reader.seek_to_committed()
    for _ in range(MAX_ASTRAY):
        assert await reader.batches() == []
    with pytest.raises(GapError, match=r"offset 5 of orders\[0\]"):
        await reader.batches()


def test_the_consumer_under_test_is_the_real_one() -> None:
    assert Reader.getmany is BatchConsumer.getmany
    assert Reader._batch is BatchConsumer._batch
    assert asyncio.iscoroutinefunction(Reader.seek_to_committed)
