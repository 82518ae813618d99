"""Runs are taken out of aiokafka's fetcher the moment they arrive, from where reading is, in order, and each once."""

import asyncio
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import FetchError, FetchResult
from aiokafka.errors import CorruptRecordException, TopicAuthorizationFailedError
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from streams.kafka.fetching import Arrivals, Runs, arrivals_of, take_fetched

ORDERS, SITE = TopicPartition("orders", 0), TopicPartition("site-events", 0)


class Position:
    """Where reading of a partition is."""

    def __init__(self, position: int) -> None:
        self.position = position
        self.paused = False

    def consumed_to(self, offset: int) -> None:
        self.position = offset


class Assignment:
    active = True

    def __init__(self, **positions: int) -> None:
        self.positions = {TopicPartition(name.replace("_", "-"), 0): Position(at) for name, at in positions.items()}

    def state_value(self, partition: TopicPartition) -> Position:
        return self.positions[partition]


class PartitionRecords:
    def __init__(self, data: bytes, position: int) -> None:
        self._records = MemoryRecords(data)
        self._check_crcs = True
        self.next_fetch_offset = position


def log(first: int, count: int) -> bytes:
    """A batch of records as a broker sends it."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 20)
    for number in range(count):
        builder.append(number, timestamp=1_000, key=b"k", value=f"v{first + number}".encode(), headers=[])
    data = bytearray(builder.build())
    data[:8] = first.to_bytes(8, "big")  # the base offset, which the check sum does not cover
    return bytes(data)


def arrived(partition: TopicPartition, assignment: Assignment, data: bytes) -> FetchResult:
    position = assignment.positions[partition].position
    return FetchResult(
        partition, assignment=assignment, partition_records=PartitionRecords(data, position), backoff=0.0
    )


class Fetcher:
    """The part of aiokafka's fetcher that is used."""

    def __init__(self, *assigned: TopicPartition) -> None:
        self._records: dict[Any, Any] = {}
        self._closed = False
        self._subscriptions = self
        self.reassignment_in_progress = False
        self.assigned = set(assigned)
        self._wait_consume_future = asyncio.get_running_loop().create_future()
        self.notified = 0

    def is_assigned(self, partition: TopicPartition) -> bool:
        return partition in self.assigned

    def _notify(self, future: Any) -> None:
        del future
        self.notified += 1

    def _create_fetch_waiter(self) -> Any:
        return asyncio.get_running_loop().create_future()

    async def _proc_fetch_request(self, *request: Any) -> bool:
        return bool(request)


def values(runs: Runs) -> dict[str, list[str]]:
    return {partition.topic: [record.value.decode() for record in run.records] for partition, run in runs.items()}


async def test_a_run_is_taken_when_it_arrives_so_that_the_next_fetch_asks_for_its_partition_again() -> None:
    fetcher, assignment = Fetcher(ORDERS), Assignment(orders=7)
    table = arrivals_of(fetcher)
    table[ORDERS] = arrived(ORDERS, assignment, log(5, 4))
    assert ORDERS not in table
    assert assignment.positions[ORDERS].position == 9
    assert values(await take_fetched(fetcher, {ORDERS}, 0)) == {"orders": ["v7", "v8"]}
    assert await take_fetched(fetcher, {ORDERS}, 0) == {}


async def test_what_arrives_on_top_waits_in_the_table_and_comes_behind_the_first() -> None:
    fetcher, assignment = Fetcher(ORDERS), Assignment(orders=0)
    table = arrivals_of(fetcher)
    table[ORDERS] = arrived(ORDERS, assignment, log(0, 2))
    table[ORDERS] = arrived(ORDERS, assignment, log(2, 2))
    assert ORDERS in table
    assert assignment.positions[ORDERS].position == 2
    assert values(await take_fetched(fetcher, None, 0)) == {"orders": ["v0", "v1", "v2", "v3"]}
    assert assignment.positions[ORDERS].position == 4
    assert fetcher.notified == 1


async def test_a_partition_that_is_not_asked_for_keeps_its_run_while_it_is_assigned() -> None:
    fetcher, assignment = Fetcher(ORDERS, SITE), Assignment(orders=0, site_events=0)
    table = arrivals_of(fetcher)
    table[ORDERS] = arrived(ORDERS, assignment, log(0, 1))
    table[SITE] = arrived(SITE, assignment, log(0, 1))
    assert values(await take_fetched(fetcher, {SITE}, 0)) == {"site-events": ["v0"]}
    fetcher.assigned.discard(ORDERS)
    assert await take_fetched(fetcher, {SITE}, 0) == {}
    assert table.runs == {}


async def test_a_run_that_was_fetched_from_before_a_seek_is_forgotten() -> None:
    fetcher, assignment = Fetcher(ORDERS), Assignment(orders=3)
    result = arrived(ORDERS, assignment, log(3, 2))
    assignment.positions[ORDERS].position = 0
    arrivals_of(fetcher)[ORDERS] = result
    assert await take_fetched(fetcher, None, 0) == {}
    arrivals_of(fetcher)[ORDERS] = arrived(ORDERS, assignment, log(0, 1))
    arrivals_of(fetcher).clear()
    assert await take_fetched(fetcher, None, 0) == {}


async def test_an_error_is_raised_after_what_came_before_it() -> None:
    fetcher, assignment = Fetcher(ORDERS, SITE), Assignment(orders=0)
    table = arrivals_of(fetcher)
    table[ORDERS] = arrived(ORDERS, assignment, log(0, 1))
    table[SITE] = FetchError(error=TopicAuthorizationFailedError("site-events"), backoff=0.0)
    assert values(await take_fetched(fetcher, None, 0)) == {"orders": ["v0"]}
    with pytest.raises(TopicAuthorizationFailedError):
        await take_fetched(fetcher, None, 0)
    assert await take_fetched(fetcher, None, 0) == {}


async def test_a_damaged_batch_is_an_error_and_not_a_record() -> None:
    fetcher, assignment = Fetcher(ORDERS), Assignment(orders=0)
    data = bytearray(log(0, 1))
    data[-2] ^= 1
    with pytest.raises(CorruptRecordException):
        arrivals_of(fetcher)[ORDERS] = arrived(ORDERS, assignment, bytes(data))


async def test_what_had_arrived_before_the_table_was_put_in_is_not_lost() -> None:
    fetcher, assignment = Fetcher(ORDERS), Assignment(orders=0)
    fetcher._records[ORDERS] = arrived(ORDERS, assignment, log(0, 1))
    assert isinstance(arrivals_of(fetcher), Arrivals)
    assert values(await take_fetched(fetcher, None, 0)) == {"orders": ["v0"]}


async def test_waiting_for_what_does_not_come_ends() -> None:
    assert await take_fetched(Fetcher(ORDERS), None, 0.01) == {}
