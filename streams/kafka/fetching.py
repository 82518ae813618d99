"""What aiokafka has fetched, taken in whole runs.

aiokafka builds an eleven-field Python object for every record, one step of a generator each: a third of the time of a
fast consumer. Its decoder in C already gives objects with an offset, a key and a value, which is all that we need, so
they are taken as they are. This reads private parts of aiokafka's fetcher, whose version is pinned.
"""

import asyncio
import time
from typing import Any

from aiokafka.consumer.fetcher import FetchResult
from aiokafka.errors import CorruptRecordException

Runs = dict[Any, list[Any]]
"""TopicPartition -> records, in order."""


async def take_fetched(fetcher: Any, partitions: set[Any] | None, timeout: float) -> Runs:  # noqa: ASYNC109 # as aiokafka's
    """All that has been fetched of some partitions (None: of all); waits up to `timeout` seconds if there is nothing.

    The counterpart of `aiokafka.consumer.fetcher.Fetcher.fetched_records`, and like it moves the positions on.

    Raises:
        KafkaError: what a fetch failed with.
    """
    end = time.monotonic() + timeout
    while True:
        if fetcher._subscriptions.reassignment_in_progress:  # noqa: SLF001 # see above
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
    runs: Runs = {}
    fetched = fetcher._records  # noqa: SLF001
    for partition in list(fetched):
        if partitions and partition not in partitions:
            if not fetcher._subscriptions.is_assigned(partition):  # noqa: SLF001
                del fetched[partition]
            continue
        result = fetched[partition]
        if type(result) is not FetchResult:
            if runs:
                return runs  # the error is raised when it is asked for next
            del fetched[partition]
            fetcher._notify(fetcher._wait_consume_future)  # noqa: SLF001
            result.check_raise()
            continue
        records = _run(result, partition)
        del fetched[partition]
        fetcher._notify(fetcher._wait_consume_future)  # noqa: SLF001
        if records:
            runs[partition] = records
    return runs


def _run(result: FetchResult, partition: Any) -> list[Any]:
    """The records of one fetched partition, without those before its position and without control records."""
    if not result.check_assignment(partition) or not result.has_more():
        return []
    fetched = result._partition_records  # noqa: SLF001
    position, batches, records = fetched.next_fetch_offset, fetched._records, []  # noqa: SLF001
    while batches.has_next():
        batch = batches.next_batch()
        if fetched._check_crcs and not batch.validate_crc():  # noqa: SLF001
            raise CorruptRecordException(f"a batch of {partition} fails its check sum; Kafka's log is damaged")
        if not batch.is_control_batch:
            rows = list(batch)
            records += rows if rows and rows[0].offset >= position else [row for row in rows if row.offset >= position]
        position = fetched.next_fetch_offset = batch.next_offset
    result._update_position()  # noqa: SLF001
    return records
