"""What aiokafka has fetched, taken in whole runs, and taken at once.

Two things cost a consumer of aiokafka its speed. It builds an eleven-field Python object for every record, one step of
a generator each; its decoder in C already gives objects with an offset, a key and a value, so those are taken as they
are. And it has one fetch under way per broker, over those partitions of which nothing waits to be consumed when it is
sent: a partition that was just read is not among them, and its next record waits until that fetch is back. So a run is
taken out of the fetcher the moment it arrives, and the next fetch asks for all partitions again.

This reads private parts of aiokafka's fetcher, whose version is pinned.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, NamedTuple

from aiokafka.consumer.fetcher import FetchResult
from aiokafka.errors import CorruptRecordException

PAUSE = 0.003
"""Seconds."""


class Run(NamedTuple):
    """What was fetched of a partition."""

    start: int
    """The offset that was asked for: the end of the run before, unless that was lost, or somebody has sought since."""
    end: int
    """The offset that is asked for next."""
    records: list[Any]
    """In order. Offsets may be missing, and all of them may: control records of transactions are none of ours."""


Runs = dict[Any, Run]
"""By TopicPartition."""


class Arrivals(dict[Any, Any]):
    """The fetcher's own table of fetched partitions, in the place of its `_records`.

    One run of a partition waits in `runs`; what comes on top of it stays in the table, and thereby keeps the fetcher
    from asking for more of that partition.
    """

    def __init__(self) -> None:
        """Nothing has arrived."""
        super().__init__()
        self.runs: Runs = {}

    def __setitem__(self, partition: Any, result: Any) -> None:
        """Something has arrived: a run, or an error."""
        if type(result) is FetchResult and partition not in self.runs:
            run = run_of(result, partition)
            if run is not None:
                self.runs[partition] = run
        else:
            super().__setitem__(partition, result)

    def clear(self) -> None:
        """Forget all of it: the assignment is lost."""
        super().clear()
        self.runs.clear()

    def forget(self, partitions: Iterable[Any]) -> None:
        """Forget what was fetched of partitions whose positions have moved."""
        for partition in partitions:
            self.pop(partition, None)
            self.runs.pop(partition, None)


def arrivals_of(fetcher: Any) -> Arrivals:
    """The table of a fetcher, put in its place when it is first asked for."""
    found = fetcher._records  # noqa: SLF001 # see above
    if not isinstance(found, Arrivals):
        table = Arrivals()
        for partition, result in found.items():
            table[partition] = result
        fetcher._records = found = table  # noqa: SLF001
        fetcher._proc_fetch_request = _paced(fetcher._proc_fetch_request)  # noqa: SLF001
    return found


def _paced(fetch: Callable[..., Coroutine[Any, Any, bool]]) -> Callable[..., Coroutine[Any, Any, bool]]:
    """At most one fetch in `PAUSE`: each costs about as much as thirty records, so under load they wait for company.

    When it is quiet, the last fetch was sent long ago, and none waits.
    """
    sent = 0.0

    async def paced(*request: Any) -> bool:
        nonlocal sent
        early = sent + PAUSE - time.monotonic()
        if early > 0:
            await asyncio.sleep(early)
        sent = time.monotonic()
        return await fetch(*request)

    return paced


async def take_fetched(fetcher: Any, partitions: set[Any] | None, timeout: float) -> Runs:  # noqa: ASYNC109 # as aiokafka's
    """All that has been fetched of some partitions (None: of all); waits up to `timeout` seconds if there is nothing.

    The counterpart of `aiokafka.consumer.fetcher.Fetcher.fetched_records`, and like it moves the positions on.

    Raises:
        KafkaError: what a fetch failed with.
    """
    end = time.monotonic() + timeout
    while True:
        if fetcher._subscriptions.reassignment_in_progress:  # noqa: SLF001
            await fetcher._subscriptions.wait_for_assignment()  # noqa: SLF001
        runs = _taken(fetcher, partitions)
        left = end - time.monotonic()
        if runs or left <= 0:
            return runs
        waiter = fetcher._create_fetch_waiter()  # noqa: SLF001
        done, _pending = await asyncio.wait([waiter], timeout=left)
        if not done or fetcher._closed:  # noqa: SLF001
            waiter.cancel()
            return {}
        waiter.result()


def _taken(fetcher: Any, partitions: set[Any] | None) -> Runs:
    arrivals, assigned = arrivals_of(fetcher), fetcher._subscriptions.is_assigned  # noqa: SLF001
    runs: Runs = {}
    for partition in [*arrivals.runs]:
        if not partitions or partition in partitions:
            runs[partition] = arrivals.runs.pop(partition)
        elif not assigned(partition):
            del arrivals.runs[partition]
    for partition in [*arrivals]:
        if partitions and partition not in partitions and assigned(partition):
            continue
        result = arrivals[partition]
        if type(result) is not FetchResult and runs:
            return runs  # the error is raised when it is asked for next
        del arrivals[partition]
        fetcher._notify(fetcher._wait_consume_future)  # noqa: SLF001
        if not assigned(partition):
            continue
        if type(result) is not FetchResult:
            result.check_raise()
        run, before = run_of(result, partition), runs.get(partition)
        if run is not None:
            runs[partition] = run if before is None else Run(before.start, run.end, before.records + run.records)
    return runs


def run_of(result: FetchResult, partition: Any) -> Run | None:
    """The records of one fetched partition, without those before its position and without control records."""
    if not result.check_assignment(partition) or not result.has_more():
        return None
    fetched = result._partition_records  # noqa: SLF001
    start = position = fetched.next_fetch_offset
    batches, records = fetched._records, []  # noqa: SLF001
    while batches.has_next():
        batch = batches.next_batch()
        if fetched._check_crcs and not batch.validate_crc():  # noqa: SLF001
            raise CorruptRecordException(f"a batch of {partition} fails its check sum; Kafka's log is damaged")
        if not batch.is_control_batch:
            rows = list(batch)
            records += rows if rows and rows[0].offset >= position else [row for row in rows if row.offset >= position]
        position = fetched.next_fetch_offset = batch.next_offset
    result._update_position()  # noqa: SLF001
    return Run(start, position, records) if position > start else None
