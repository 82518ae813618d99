"""What aiokafka's consumer and its fetcher are to `streams.kafka.fetching`, over the in-memory Kafka.

Here is what can go wrong below us: a fetch that is under way during a seek or a new assignment, marks of the
partitions' ends that lag, reading that begins at the group's offsets, control records.
"""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any

from aiokafka.consumer.fetcher import FetchResult
from faust.types import TP

from tests.simulation.broker import Broker, Place, Stored
from tests.simulation.loop import OWNER, Process


def place(tp: TP) -> Place:
    """A partition, as the broker calls it."""
    return tp.topic, tp.partition


class State:
    """Where one partition is read."""

    paused = False

    def __init__(self, position: int) -> None:
        self.position = position

    def consumed_to(self, position: int) -> None:
        self.position = position


class Assignment:
    """Partitions that are read; a new one takes its place at every rebalance."""

    def __init__(self, positions: Mapping[TP, int]) -> None:
        self.active = True
        self.states = {tp: State(position) for tp, position in positions.items()}

    def state_value(self, tp: TP) -> State:
        return self.states[tp]


class Batch:
    """Neighbouring records of one kind, as they lie in Kafka."""

    def __init__(self, record: Stored) -> None:
        self.next_offset = record.offset + 1
        self.is_control_batch = record.is_control
        self._records = [record]

    def __iter__(self) -> Iterator[Stored]:
        return iter(self._records)


class Batches:
    """What one fetch brought of a partition; aiokafka's `PartitionRecords` and what it holds, in one."""

    _check_crcs = False

    def __init__(self, start: int, records: list[Stored]) -> None:
        self.next_fetch_offset = start
        self._left = [Batch(record) for record in reversed(records)]
        self._records = self

    def has_next(self) -> bool:
        return bool(self._left)

    def next_batch(self) -> Batch:
        return self._left.pop()


class Fetcher:
    """aiokafka's fetcher; also its subscriptions, which know the assignment."""

    reassignment_in_progress = _closed = False
    _wait_consume_future = None

    def __init__(self, broker: Broker, process: Process) -> None:
        self._broker = broker
        self._world = broker.world
        self._own = copy_context()
        self._own.run(OWNER.set, process)
        self._subscriptions = self
        self._records: dict[Any, Any] = {}
        self._waiters: list[asyncio.Future[None]] = []
        self._under_way = False
        self._parked: dict[TP, int] = {}
        self.assignment = Assignment({})
        self.highwater: dict[TP, int] = {}
        broker.listeners.append(self._appended)
        process.dies.append(lambda: broker.listeners.remove(self._appended))

    def end(self, tp: TP) -> int:
        """The offset after the last record of a partition."""
        return self._broker.end((tp.topic, tp.partition))

    def assign(self, positions: Mapping[TP, int]) -> None:
        """Read these from now on."""
        self.assignment.active = False
        self.assignment = Assignment(positions)
        self._records.clear()
        self.highwater.clear()
        self._fetch()

    def is_assigned(self, tp: TP) -> bool:
        return tp in self.assignment.states

    def seek_to(self, tp: TP, position: int) -> None:
        """Read on from elsewhere."""
        if tp not in self.assignment.states:
            raise RuntimeError(f"{tp} is not assigned")
        self.assignment.states[tp].position = position
        self._records.pop(tp, None)
        self._fetch()

    @contextmanager
    def fetch_context(self) -> Iterator[None]:
        yield

    async def _proc_fetch_request(self, *_request: Any) -> bool:
        raise NotImplementedError  # fetches are paced by `_fetch`

    def _create_fetch_waiter(self) -> "asyncio.Future[None]":
        waiter: asyncio.Future[None] = self._world.loop.create_future()
        self._waiters.append(waiter)
        return waiter

    def _notify(self, _future: object) -> None:
        """Something was consumed: there is room for more."""
        self._world.loop.call_soon(self._fetch, context=self._own)

    def _wanted(self) -> dict[TP, int]:
        return {tp: state.position for tp, state in self.assignment.states.items() if tp not in self._records}

    def _fetch(self) -> None:
        wanted = self._wanted()
        if self._under_way or not wanted:
            return
        self._under_way, self._parked = True, {}
        assignment = self.assignment
        self._world.later(self._world.delay(), lambda: self._at_broker(assignment, wanted))

    def _at_broker(self, assignment: Assignment, wanted: dict[TP, int]) -> None:
        most = self._world.dice.choice([1, 2, 10])
        found = {tp: self._broker.logs[place(tp)][at : at + most] for tp, at in wanted.items()}
        ends = {tp: self._broker.end(place(tp)) for tp in wanted}
        delay = self._world.delay()
        self._world.loop.call_later(delay, self._arrive, assignment, wanted, found, ends, context=self._own)

    def _arrive(
        self, assignment: Assignment, wanted: dict[TP, int], found: dict[TP, list[Stored]], ends: dict[TP, int]
    ) -> None:
        self._under_way = False
        for tp, at in wanted.items():
            if assignment.active and assignment.states[tp].position == at:  # else sought elsewhere meanwhile
                self.highwater[tp] = ends[tp]
                if found[tp]:
                    batches = Batches(at, found[tp])
                    self._records[tp] = FetchResult(tp, assignment=assignment, partition_records=batches, backoff=0)
        self._wake()
        if self._wanted() == wanted and all(self._broker.end(place(tp)) == at for tp, at in wanted.items()):
            self._parked = wanted  # until there is more
        else:
            self._fetch()

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    def _appended(self, where: Place) -> None:
        if any(place(tp) == where for tp in self._parked):
            self._world.loop.call_soon(self._fetch, context=self._own)
