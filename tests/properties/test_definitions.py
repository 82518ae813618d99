"""Definitions that are changed at any moment, whatever else happens: everybody ends where the last of them say."""

import asyncio
from collections import defaultdict

import orjson
from hypothesis import given
from hypothesis import strategies as st

from tests.oracle import PREDICTED, Event, membership
from tests.properties.logs import FEWER, LAST, logs
from tests.properties.test_silence import _calm, _customers, _steps
from tests.properties.world import World, lived

_edit = st.tuples(st.sampled_from(["edit", "edit", "refit"]), st.integers(0, 10**6))
_edits = st.one_of(_calm, _edit, st.just(("sweep",)), st.just(("settle",)))
_disturbed = st.one_of(_edits, _steps)


def _mine(events: list[Event], customers: list[str]) -> list[Event]:
    return [{**event, "customer_id": customer} for event, customer in zip(events, customers, strict=False)]


def _check(world: World, events: list[Event]) -> None:
    """Readers, sets of members and the change stream agree, and are what the oracle says of the last definitions."""
    report = world.report()
    assert report.ok, "\n".join(report.lines())
    assert "changes repeated" not in report.figures
    assert "judged by another version of the definitions" not in report.figures
    by_customer: defaultdict[str, list[Event]] = defaultdict(list)
    for event in events:
        by_customer[event["customer_id"]].append(event)
    state, latest = world.store.shard(0), world.parameters.latest
    models = None if latest is None else latest.model_dump()
    for customer, theirs in by_customer.items():
        inside = membership(theirs, LAST, models)
        expected = {segment for segment, of in world.edition.items() if of in inside}
        assert {segment for segment, members in state.members.items() if customer in members} == expected


@FEWER
@given(logs(24), _customers, st.lists(_edits, min_size=4, max_size=20), st.integers(1, 5))
def test_everybody_ends_where_the_last_definitions_say(
    events: list[Event], customers: list[str], steps: list[tuple[object, ...]], batch: int
) -> None:
    mine = _mine(events, customers)
    world = asyncio.run(lived(mine, steps, batch))
    _check(world, mine)


@FEWER
@given(logs(24), _customers, st.lists(_disturbed, min_size=4, max_size=20), st.integers(1, 5))
def test_so_they_do_when_state_is_lost_or_made_anew_meanwhile(
    events: list[Event], customers: list[str], steps: list[tuple[object, ...]], batch: int
) -> None:
    mine = _mine(events, customers)
    world = asyncio.run(lived(mine, steps, batch))
    _check(world, mine)


@FEWER
@given(logs(24), _customers, st.lists(_calm, max_size=14), st.integers(1, 5), st.integers(0, 10**6))
def test_an_edit_of_a_system_at_rest_says_all_of_it_with_cause_definition_and_a_rollback_takes_it_back(
    events: list[Event], customers: list[str], steps: list[tuple[object, ...]], batch: int, seed: int
) -> None:
    async def story() -> tuple[World, int]:
        world = await lived(_mine(events, customers), steps, batch)
        before, said = dict(world.store.shard(0).members), len(world.kafka.changes)
        members = {segment: set(inside) for segment, inside in before.items() if inside}
        await world.edit(seed)
        await world.sweep_all()
        await world.take_back()
        await world.sweep_all()
        after = {segment: inside for segment, inside in world.store.shard(0).members.items() if inside}
        assert after == members
        return world, said

    world, said = asyncio.run(story())
    changes = [orjson.loads(value) for value in world.kafka.changes[said:]]
    assert {change["cause"]["kind"] for change in changes} <= {"definition"}
    assert {change["effective_at"] for change in changes} == {change["judged_at"] for change in changes}
    entered = sum(change["type"] == "segment.entered" for change in changes)
    assert entered * 2 == len(changes)


@FEWER
@given(logs(24), _customers, st.lists(_calm, max_size=14), st.integers(1, 5), st.integers(0, 10**6))
def test_new_parameters_of_a_system_at_rest_move_predicted_segments_alone_with_cause_model(
    events: list[Event], customers: list[str], steps: list[tuple[object, ...]], batch: int, seed: int
) -> None:
    async def story() -> tuple[World, int]:
        world = await lived(_mine(events, customers), steps, batch)
        said = len(world.kafka.changes)
        for shop in (seed, seed + 1):
            await world.refit(shop)
            await world.sweep_all()
        return world, said

    mine = _mine(events, customers)
    world, said = asyncio.run(story())
    _check(world, mine)
    changes = [orjson.loads(value) for value in world.kafka.changes[said:]]
    assert {(change["cause"]["kind"], change["segment"] in PREDICTED) for change in changes} <= {("model", True)}
    assert [change["model_version"] for change in changes] == sorted(change["model_version"] for change in changes)
