"""A state that is set back, emptied or rebuilt at any moment: the stream stays gap-free, nothing is said twice."""

import asyncio

import orjson
from hypothesis import given
from hypothesis import strategies as st

from schemas.names import INPUTS
from tests.oracle import Event
from tests.properties.logs import SETTINGS, logs, times
from tests.properties.world import lived, read_whole
from tests.scenarios.events import START, decoded

_reads = st.tuples(st.just("read"), st.sampled_from(INPUTS[:3]), st.integers(1, 4))
_calm = st.one_of(
    _reads,
    _reads,
    _reads,
    st.tuples(st.just("hurry"), st.sampled_from(INPUTS[:3]), st.integers(1, 4)),
    st.just(("settle",)),
    st.builds(lambda at: ("wait", START + at), times),
    st.tuples(st.just("publish"), st.integers(1, 8)),
)
_steps = st.one_of(
    _calm,
    _calm,
    st.just(("crash",)),
    st.tuples(st.just("lose"), st.integers(0, 6)),
    st.just(("make",)),
    st.just(("cut_over",)),
)


_customers = st.lists(st.sampled_from(["ann", "bob", "cat"]), min_size=24, max_size=24)


@SETTINGS
@given(logs(24), _customers, st.lists(_steps, min_size=4, max_size=20), st.integers(1, 5))
def test_whatever_happens_to_the_state_the_stream_adds_up_to_it(
    events: list[Event], customers: list[str], steps: list[tuple[object, ...]], batch: int
) -> None:
    mine = [{**event, "customer_id": customer} for event, customer in zip(events, customers, strict=False)]
    world = asyncio.run(lived(mine, steps, batch))
    report = world.report()
    assert report.ok, "\n".join(report.lines())
    assert "changes repeated" not in report.figures
    assert all(decoded(event) for event in mine)


@SETTINGS
@given(logs(24), _customers, st.lists(_calm, max_size=14), st.integers(1, 5))
def test_a_rebuild_of_a_sound_state_says_nothing(
    events: list[Event], customers: list[str], steps: list[tuple[object, ...]], batch: int
) -> None:
    mine = [{**event, "customer_id": customer} for event, customer in zip(events, customers, strict=False)]

    async def told() -> tuple[list[bytes], list[bytes]]:
        world = await lived(mine, steps, batch)
        before = list(world.kafka.changes)
        await world.make()
        await world.cut_over()
        await world.settle()
        return before, world.kafka.changes

    before, after = asyncio.run(told())
    assert after == before


@SETTINGS
@given(logs(24), _customers, st.lists(_calm, max_size=14), st.integers(1, 5))
def test_a_state_that_was_lost_whole_takes_nothing_back(
    events: list[Event], customers: list[str], steps: list[tuple[object, ...]], batch: int
) -> None:
    mine = [{**event, "customer_id": customer} for event, customer in zip(events, customers, strict=False)]

    async def told() -> tuple[list[bytes], list[bytes]]:
        world = await lived(mine, steps, batch)
        before = list(world.kafka.changes)
        await world.lose(10**6)
        world = await read_whole(world)
        return before, world.kafka.changes

    before, after = asyncio.run(told())
    assert after[: len(before)] == before
    new = [orjson.loads(value) for value in after[len(before) :]]
    assert [change for change in new if change["cause"]["kind"] == "rebuild"] == []
