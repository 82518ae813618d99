"""Where a shard that is taken over reads on, and when it must not."""

import logging
from typing import Any

import pytest

from schemas.names import INPUTS, ORDERS, SITE_EVENTS
from streams.core.definitions import compile_definitions
from streams.kafka.errors import GapError
from streams.preflight.rules import Hazard
from streams.shard.shard import Limits, Ports
from streams.shards import Shards
from streams.state.memory import MemoryStore
from streams.state.port import HistoryError
from streams.versions import Given

RULES = compile_definitions('[segments.vip]\ntitle = "VIP"\nwhen = "orders.count >= 3"\n')


class Tail:
    """A change stream that ends with a sequence."""

    def __init__(self, sequence: int) -> None:
        self.sequence = sequence

    async def tail(self, _shard: int) -> int:
        return self.sequence


class Beginning:
    """A history of which only the orders are left, from an offset on."""

    def __init__(self, first: int) -> None:
        self.first = first

    async def bounds(self, _shard: int) -> dict[str, tuple[int, int]]:
        return dict.fromkeys(INPUTS, (0, 0)) | {ORDERS: (self.first, 800)}


async def taken(store: MemoryStore, tail: int = 0, *accepted: Hazard) -> Shards:
    """Shard 0, taken by a worker."""
    anything: Any = Beginning(500)
    sink: Any = Tail(tail)
    shards = Shards(Given(RULES), Ports(store, sink, anything, anything, lambda: 0, lambda: 0), Limits(), accepted)
    shards.count = 1
    await shards.take({0})
    return shards


def spans(first: int, end: int) -> dict[tuple[str, int], tuple[int, int]]:
    """What Kafka has of the orders; the other topics are empty."""
    return {(name, 0): (0, 0) for name in INPUTS} | {(ORDERS, 0): (first, end)}


async def store_that_read(offset: int) -> MemoryStore:
    """A store that was brought up to an offset of the orders."""
    store = MemoryStore()
    await (await taken(store)).begin(spans(offset, offset))
    assert store.shard(0).offsets[ORDERS] == offset
    return store


@pytest.mark.parametrize(("first", "end"), [(0, 40), (0, 90), (40, 40), (40, 90), (12, 41)])
async def test_reading_goes_on_where_it_was_while_kafka_has_what_comes_next(first: int, end: int) -> None:
    store = await store_that_read(40)
    shards = await taken(store)
    assert await shards.begin(spans(first, end)) == {}
    assert shards.owned[0].offsets[ORDERS] == 40


@pytest.mark.parametrize(
    ("first", "end", "told"),
    [
        (41, 90, "orders[0] was applied up to offset 40, and Kafka's log begins at 41: retention took 1 records"),
        (90, 90, "orders[0] was applied up to offset 40, and Kafka's log begins at 90: retention took 50 records"),
        (0, 39, "orders[0] was applied up to offset 40, and Kafka's log ends at 39: the topic was made anew"),
        (0, 0, "orders[0] was applied up to offset 40, and Kafka's log ends at 0: the topic was made anew"),
    ],
)
async def test_a_gap_is_refused_with_both_offsets_and_the_way_out(first: int, end: int, told: str) -> None:
    store = await store_that_read(40)
    shards = await taken(store, 0, *(set(Hazard) - {Hazard.GAP}))
    with pytest.raises(GapError) as refusal:
        await shards.begin(spans(first, end))
    for text in (told, "segments rebuild", "SEGMENTS_ALLOW_UNSAFE=gap"):
        assert text in str(refusal.value)
    assert store.shard(0).offsets[ORDERS] == 40


@pytest.mark.parametrize(("first", "end"), [(41, 90), (0, 39), (7, 20)])
async def test_a_gap_that_is_accepted_is_told_of_and_reading_goes_on_behind_it(
    first: int, end: int, caplog: pytest.LogCaptureFixture
) -> None:
    store = await store_that_read(40)
    shards = await taken(store, 0, Hazard.GAP)
    with caplog.at_level(logging.ERROR):
        assert await shards.begin(spans(first, end)) == {(ORDERS, 0): first}
    assert "accepted, gap: orders[0] was applied up to offset 40" in caplog.text
    assert shards.owned[0].offsets[ORDERS] == store.shard(0).offsets[ORDERS] == first
    assert await (await taken(store)).begin(spans(first, max(first, end))) == {}


async def test_every_gap_is_named_at_once() -> None:
    store = await store_that_read(40)
    shards = await taken(store)
    with pytest.raises(GapError, match=r"(?s)orders\[0\].*site-events\[0\]"):
        await shards.begin(spans(90, 95) | {(SITE_EVENTS, 0): (3, 5)})


async def test_a_new_shard_begins_where_kafka_does_and_is_new_only_once() -> None:
    store = MemoryStore()
    shards = await taken(store)
    assert await shards.begin(spans(500, 800)) == {(ORDERS, 0): 500}
    assert shards.owned[0].offsets == store.shard(0).offsets == dict.fromkeys(INPUTS, 0) | {ORDERS: 500}
    with pytest.raises(GapError, match="begins at 800"):
        await (await taken(store)).begin(spans(800, 800))


async def test_a_shard_that_read_nothing_yet_is_not_new_when_it_is_taken_again() -> None:
    store = MemoryStore()
    await (await taken(store)).begin(spans(0, 0))
    with pytest.raises(GapError, match="took 9 records"):
        await (await taken(store)).begin(spans(9, 12))


async def test_a_shard_whose_state_is_lost_is_not_new() -> None:
    with pytest.raises(HistoryError, match="'orders' begins at offset 500"):
        await taken(MemoryStore(), 17)


async def test_a_shard_that_somebody_else_has_claimed_meanwhile_is_let_go() -> None:
    store = MemoryStore()
    shards = await taken(store)
    await store.claim(0)
    await shards.begin(spans(500, 800))
    assert shards.owned == {}
    assert store.shard(0).offsets[ORDERS] == 0


async def test_a_shard_whose_store_forgets_it_before_reading_begins_is_taken_again_at_once() -> None:
    store = MemoryStore()
    shards = await taken(store)
    store.shards.clear()
    await shards.begin(spans(500, 800))
    assert shards.owned == {}
    assert not await shards.settle_due()
