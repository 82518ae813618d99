"""A run says from where and to where it was read, whatever of it are records of ours."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import FetchResult

from streams.kafka.fetching import Run, arrivals_of, take_fetched

PLACE = TopicPartition("orders", 0)


class Batch:
    """What aiokafka's decoder makes of one batch of records."""

    def __init__(self, *offsets: int, after: int, control: bool = False) -> None:
        self.rows = [SimpleNamespace(offset=offset) for offset in offsets]
        self.next_offset = after
        self.is_control_batch = control

    def __iter__(self) -> Any:
        return iter(self.rows)


class Fetched:
    """aiokafka's `PartitionRecords`, as far as we read it."""

    def __init__(self, position: int, batches: Sequence[Batch]) -> None:
        self.next_fetch_offset = position
        self._check_crcs = False
        left = list(batches)
        self._records = SimpleNamespace(has_next=lambda: bool(left), next_batch=lambda: left.pop(0))


def fetcher_with(position: int, *batches: Batch) -> Any:
    """A fetcher that has fetched some batches from a position on."""
    state = SimpleNamespace(paused=False, position=position)
    state.consumed_to = lambda offset: setattr(state, "position", offset)
    assignment = SimpleNamespace(active=True, state_value=lambda _place: state)
    result = FetchResult(PLACE, assignment=assignment, partition_records=Fetched(position, batches), backoff=0)
    subscriptions = SimpleNamespace(reassignment_in_progress=False, is_assigned=lambda _place: True)
    return SimpleNamespace(
        _records={PLACE: result},
        _subscriptions=subscriptions,
        _notify=lambda _future: None,
        _wait_consume_future=None,
        _proc_fetch_request=None,
    )


@pytest.mark.parametrize(
    ("position", "batches", "start", "end", "offsets"),
    [
        (5, [Batch(5, 6, after=7), Batch(7, after=8)], 5, 8, [5, 6, 7]),
        (6, [Batch(5, 6, after=7)], 6, 7, [6]),
        (5, [Batch(5, after=6), Batch(6, after=7, control=True)], 5, 7, [5]),
        (6, [Batch(6, after=7, control=True)], 6, 7, []),
        (5, [Batch(5, 9, after=12)], 5, 12, [5, 9]),
    ],
    ids=["all", "asked for from the middle of a batch", "a commit marker last", "a commit marker only", "compacted"],
)
async def test_a_run_says_where_it_begins_and_where_reading_goes_on(
    position: int, batches: list[Batch], start: int, end: int, offsets: list[int]
) -> None:
    runs = await take_fetched(fetcher_with(position, *batches), None, 0.0)
    run = runs[PLACE]
    assert isinstance(run, Run)
    assert (run.start, run.end, [row.offset for row in run.records]) == (start, end, offsets)


async def test_runs_that_wait_are_taken_as_one() -> None:
    fetcher = fetcher_with(5, Batch(5, after=6))
    arrivals = arrivals_of(fetcher)
    arrivals[PLACE] = fetcher_with(6, Batch(6, after=8))._records[PLACE]
    run = (await take_fetched(fetcher, None, 0.0))[PLACE]
    assert (run.start, run.end, [row.offset for row in run.records]) == (5, 8, [5, 6])


async def test_after_a_seek_only_what_was_fetched_of_that_partition_is_forgotten() -> None:
    other = TopicPartition("orders", 1)
    fetcher = fetcher_with(5, Batch(5, after=6))
    arrivals = arrivals_of(fetcher)
    arrivals[other] = fetcher_with(6, Batch(6, after=7))._records[PLACE]
    arrivals.forget([PLACE])
    assert list(await take_fetched(fetcher, None, 0.0)) == [other]
