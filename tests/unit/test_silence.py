"""A shard that makes its state anew: what it says, what it leaves unsaid, and when it gives up."""

import asyncio
from collections.abc import Awaitable, Callable

import orjson
import pytest

from schemas.instants import DAY
from streams.core.rebuild import difference
from streams.core.step import apply, newcomer
from streams.shard.silence import untold
from streams.shard.told import Fold, Told, read_told, shown
from streams.state.memory import MemoryStore
from streams.state.port import HistoryError, StaleError
from tests.oracle import Event
from tests.properties.world import World
from tests.scenarios.events import START, bought, decoded
from tests.scenarios.story import shipped

FIRST, SECOND = bought(0, "o1"), bought(10 * DAY, "o2")


def play(story: Callable[[World], Awaitable[None]], events: list[Event]) -> World:
    """A world that these events came to, and in which the story has happened."""
    world = World(5)

    async def live() -> None:
        await world.open()
        for event in events:
            world.kafka.publish(event)
        await story(world)

    asyncio.run(live())
    return world


async def read_all(world: World) -> None:
    await world.read("orders", 10)


def causes(world: World) -> list[str]:
    return [orjson.loads(value)["cause"]["kind"] for value in world.kafka.changes]


async def test_what_was_told_is_written_down_and_read_again() -> None:
    told = Told({"vip": START}, START + DAY)
    assert read_told(told.stored()) == told
    assert shown(None) == Told()
    assert shown(b'{"v":1,"in":{"vip":[5,null]},"at":9}') == Told({"vip": 5}, 9)


async def test_changes_add_up_from_anywhere_on_top_of_what_was_known_before() -> None:
    fold = Fold()
    change = {
        "customer_id": None,
        "anonymous_id": "x",
        "type": "segment.entered",
        "effective_at": "1970-01-01T00:00:09Z",
    }
    fold.feed(orjson.dumps(change | {"segment": "vip", "memberships": ["lapsed", "new", "vip"]}))
    assert len(fold) == 1
    after = fold.after("anonymous:x", Told({"lapsed": 1, "gone": 2}, 3))
    assert after == Told({"lapsed": 1, "new": 9_000_000, "vip": 9_000_000}, 9_000_000)
    assert list(fold.groups(5)) == [["anonymous:x"]]


@pytest.mark.parametrize(
    ("told_at", "before_at", "due", "expected"),
    [(10, None, 11, False), (10, None, 10, True), (10, 50, 40, True), (10, 50, 60, False), (10, 50, None, False)],
)
async def test_a_customer_for_whom_the_clock_had_come_further_is_looked_at(
    told_at: int,
    before_at: int | None,
    due: int | None,
    expected: bool,  # noqa: FBT001
) -> None:
    store = MemoryStore()
    state = store.shard(0)
    state.lives["ann"] = b'{"v":1,"in":{"vip":[5,null]}}'
    state.written["ann"] = Told({"vip": 5}, told_at).stored()
    if before_at is not None:
        state.before["ann"] = b'{"v":1,"in":{},"at":%d}' % before_at
    if due is not None:
        state.dues["ann"] = due
    groups = [group async for group in untold(0, store, 10)]
    assert [list(group) for group in groups] == ([["ann"]] if expected else [])


async def test_whoever_only_the_old_state_knew_is_as_readers_find_them() -> None:
    store = MemoryStore()
    store.shard(0).lives["ann"] = b'{"v":1,"in":{"vip":[5,null]}}'
    store.shard(0).before["ann"] = b'{"v":1,"in":{},"at":9}'
    store.shard(0).dues["ann"] = 7
    (group,) = [group async for group in untold(0, store, 10)]
    assert group == {"ann": Told({"vip": 5}, 9)}


def test_the_difference_goes_step_by_step_from_what_is_known_to_what_is() -> None:
    customer = newcomer("ann", shipped())
    for event in (FIRST, SECOND):
        apply(customer, decoded(event), shipped())
    known = {"first_time_buyer": START, "no_longer_defined": START, "repeat_buyer": START + DAY}
    found = difference(customer, known, START + 20 * DAY, shipped())
    assert [(change.entered, change.segment.key) for change in found] == [
        (False, "first_time_buyer"),
        (False, "no_longer_defined"),
    ]
    assert [change.memberships for change in found] == [("no_longer_defined", "repeat_buyer"), ("repeat_buyer",)]
    assert {change.effective_at for change in found} == {START + 20 * DAY}
    assert customer.since == {"repeat_buyer": START + DAY}


def test_who_entered_is_said_to_have_entered_when_they_did() -> None:
    customer = newcomer("ann", shipped())
    for event in (FIRST, SECOND):
        apply(customer, decoded(event), shipped())
    (entered,) = difference(customer, {}, START, shipped())
    assert (entered.segment.key, entered.entered, entered.effective_at) == ("repeat_buyer", True, START + 10 * DAY)
    assert entered.cause == "rebuild"


def test_a_lost_state_is_made_anew_without_a_word() -> None:
    async def story(world: World) -> None:
        await read_all(world)
        said = list(world.kafka.changes)
        await world.lose(10**6)
        silent = [world.shard.is_silent]
        assert await world.shard.settle_due() == 0
        await read_all(world)
        assert [*silent, world.shard.is_silent] == [True, False]
        assert world.kafka.changes == said

    world = play(story, [FIRST, SECOND])
    assert world.report().ok, world.report().lines()


def test_what_was_committed_and_never_sent_is_said_after_all() -> None:
    async def story(world: World) -> None:
        await read_all(world)
        world.kafka.changes.pop()
        await world.lose(10**6)
        await read_all(world)

    world = play(story, [FIRST, SECOND])
    assert world.report().ok, world.report().lines()
    assert causes(world)[-1] == "rebuild"


def test_changes_of_an_earlier_owner_that_come_late_are_taken_in() -> None:
    async def story(world: World) -> None:
        await read_all(world)
        late = world.kafka.changes.pop()
        await world.lose(10**6)
        world.kafka.changes.append(late)
        with pytest.raises(StaleError, match="Kafka has 3 changes now"):
            await world.read("orders", 10)
        await world.open()
        await read_all(world)
        assert not world.shard.is_silent

    world = play(story, [FIRST, SECOND])
    assert world.report().ok, world.report().lines()
    assert "rebuild" not in causes(world)


def test_what_is_in_the_dead_letters_stays_out_although_it_could_be_read_today() -> None:
    async def story(world: World) -> None:
        await read_all(world)
        world.kafka.in_dead_letters = {("orders", 1)}
        await world.lose(10**6)
        await read_all(world)

    world = play(story, [FIRST, SECOND])
    assert [orjson.loads(value)["memberships"] for value in world.kafka.changes][-1] == ["first_time_buyer"]


def test_a_state_whose_events_are_gone_is_not_made_of_what_is_left() -> None:
    async def story(world: World) -> None:
        await read_all(world)
        world.kafka.first = 1
        with pytest.raises(HistoryError, match="state of shard 0 in Redis is empty, and 'orders' begins at offset 1"):
            await world.lose(10**6)

    play(story, [FIRST, SECOND])


def test_a_shard_that_was_given_up_says_nothing_more() -> None:
    async def story(world: World) -> None:
        await world.hurry("orders", 10)
        world.shard.give_up()
        await world.shard._relay.drain()
        await world.shard.settle_due()
        assert world.kafka.changes == []
        await world.crash()
        assert len(world.kafka.changes) == 3

    assert play(story, [FIRST, SECOND]).report().ok
