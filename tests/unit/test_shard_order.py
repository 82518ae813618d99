"""With a backlog, a shard takes what was produced first, over all topics; and waits a moment for a topic that lags."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any, NamedTuple

import orjson

from schemas.deadletters import DeadLetter
from schemas.instants import SECOND, rfc3339
from streams.shard import shard as module
from streams.shard.port import Forward, RecordBatch
from streams.shard.shard import Limits, Ports, Shard
from streams.state.memory import MemoryStore
from streams.state.port import Outgoing
from streams.versions import Given
from tests.scenarios.events import START
from tests.scenarios.story import shipped


class Produced(NamedTuple):
    offset: int
    timestamp: int
    value: bytes
    key: bytes | None = None


class Sink:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.changes: list[Outgoing] = []

    async def tail(self, shard: int) -> int:
        return shard * 0

    async def send_changes(self, shard: int, rows: Sequence[Outgoing]) -> Awaitable[None]:
        assert shard == 0
        self.changes += rows
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    async def send_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        raise AssertionError(letters)

    async def send_forwards(self, forwards: Sequence[Forward]) -> None:
        raise AssertionError(forwards)


class Ends:
    """How far Kafka's partitions go."""

    def __init__(self, **ends: int) -> None:
        self.ends = {name.replace("_", "-"): end for name, end in ends.items()}

    def end(self, topic: str, shard: int) -> int | None:
        return self.ends.get(topic, 0) + shard


def page(offset: int, second: int) -> Produced:
    return _produced(offset, second, type="page.viewed")


def order(offset: int, second: int) -> Produced:
    return _produced(offset, second, type="order.placed", order_id=f"o{offset}", total=100, currency="GBP")


def _produced(offset: int, second: int, **fields: object) -> Produced:
    body = {"id": f"{second}", "version": 1, "source": "t", "customer_id": "ann", **fields}
    at = START + second * SECOND
    return Produced(offset, at // 1_000, orjson.dumps({**body, "occurred_at": rfc3339(at)}))


class Recorded(Shard):
    """A shard that notes what goes into each commit."""

    def __init__(self, ends: Ends, batch: int) -> None:
        self.sink = Sink()
        history: Any = None  # nothing is ever lost here
        ports = Ports(MemoryStore(), self.sink, history, ends, lambda: START, lambda: START + 10**6 * SECOND)
        super().__init__(0, 1, Given(shipped()), ports, Limits(batch=batch))
        self.commits: list[list[tuple[str, int, int]]] = []

    async def _process(self, pieces: list[module.Piece]) -> None:
        self.commits.append([(piece.topic, piece.start, piece.end) for piece in pieces])
        await super()._process(pieces)


def batch(shard: Shard, topic: str, records: list[Produced]) -> RecordBatch:
    return RecordBatch(topic, 0, shard.epoch, records[0].offset, records[-1].offset + 1, records)


async def test_a_backlog_of_two_topics_is_taken_in_the_order_in_which_it_was_produced() -> None:
    shard = Recorded(Ends(orders=4, site_events=8), batch=3)
    await shard.open()
    orders = [order(n, 2 * n) for n in range(4)]
    pages = [page(n, n) for n in range(4)]
    more = [page(n, n) for n in range(4, 8)]
    await asyncio.gather(
        *(shard.process(batch(shard, topic, rows)) for topic, rows in (("orders", orders), ("site-events", pages))),
        shard.process(batch(shard, "site-events", more)),
    )
    assert shard.commits == [
        [("orders", 0, 1), ("site-events", 0, 2)],
        [("orders", 1, 2), ("site-events", 2, 4)],
        [("orders", 2, 3), ("site-events", 4, 6)],
        [("orders", 3, 4), ("site-events", 6, 8)],
    ]
    assert shard.offsets["orders"] == 4
    assert shard.offsets["site-events"] == 8
    assert [row.sequence for row in shard.sink.changes] == list(range(1, len(shard.sink.changes) + 1))


async def test_a_backlog_waits_for_a_topic_of_which_kafka_has_more() -> None:
    shard = Recorded(Ends(orders=2, site_events=4), batch=3)
    await shard.open()
    first = asyncio.ensure_future(shard.process(batch(shard, "site-events", [page(n, 10 + n) for n in range(4)])))
    for _turn in range(20):
        await asyncio.sleep(0)
    assert shard.commits == []
    await shard.process(batch(shard, "orders", [order(n, n) for n in range(2)]))
    await first
    assert shard.commits[0] == [("site-events", 0, 1), ("orders", 0, 2)]


async def test_a_topic_that_does_not_come_holds_nobody_up_for_long() -> None:
    shard = Recorded(Ends(orders=2, site_events=4), batch=3)
    await shard.open()
    await asyncio.wait_for(
        shard.process(batch(shard, "site-events", [page(n, n) for n in range(4)])), 40 * module.PATIENCE
    )
    assert shard.commits == [[("site-events", 0, 3)], [("site-events", 3, 4)]]


async def test_a_short_topic_that_came_whole_waits_for_a_long_one_of_which_kafka_has_more() -> None:
    shard = Recorded(Ends(orders=3, site_events=100), batch=3)
    await shard.open()
    orders = asyncio.ensure_future(shard.process(batch(shard, "orders", [order(n, 1_000 * n) for n in range(3)])))
    for _turn in range(20):
        await asyncio.sleep(0)
    assert shard.commits == []
    await shard.process(batch(shard, "site-events", [page(n, 500 + n) for n in range(4)]))
    await orders
    assert shard.commits[:3] == [
        [("orders", 0, 1), ("site-events", 0, 2)],
        [("site-events", 2, 4)],
        [("orders", 1, 3)],
    ]


async def test_a_few_events_wait_for_nobody() -> None:
    shard = Recorded(Ends(orders=1, site_events=2), batch=3)
    await shard.open()
    started = asyncio.get_running_loop().time()
    await shard.process(batch(shard, "site-events", [page(0, 0), page(1, 1)]))
    assert asyncio.get_running_loop().time() - started < module.PATIENCE
    assert shard.commits == [[("site-events", 0, 2)]]


async def test_records_of_one_and_the_same_instant_are_taken_as_they_lie() -> None:
    shard = Recorded(Ends(site_events=7), batch=3)
    await shard.open()
    await shard.process(batch(shard, "site-events", [page(n, 5) for n in range(7)]))
    assert shard.commits == [[("site-events", 0, 3)], [("site-events", 3, 6)], [("site-events", 6, 7)]]
