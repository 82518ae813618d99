"""A version of the definitions takes over in a shard: when, for whom, with which cause, and after what came before."""

import asyncio
from collections.abc import Awaitable, Callable

import orjson
import pytest

from schemas.instants import DAY, parse_rfc3339
from schemas.names import ORDERS
from streams.core.cutover import cut_over, unjudged
from streams.core.definitions import compile_definitions
from streams.core.profile import LONG_AGO
from streams.state.judging import BEGINNING, Judging
from streams.state.port import VersionError
from streams.versions import Versions
from tests.oracle import Event
from tests.properties.logs import fed
from tests.properties.world import World
from tests.scenarios.events import START, bought
from tests.scenarios.story import shipped
from tests.simulation.editions import Reading, published

OLD = '[segments.away]\ntitle = "A"\nwhen = "since(orders.last_at) >= days(30)"\n'
OLD += '[segments.buyer]\ntitle = "B"\nwhen = "orders.count >= 1"\n'
NEW = '[segments.away]\ntitle = "A"\nwhen = "since(orders.last_at) >= days(10)"\n'
NEW += '[segments.fresh]\ntitle = "F"\nwhen = "orders.count == 1"\n'


class Edited(World):
    """A world that begins with the old definitions."""

    def __init__(self) -> None:
        super().__init__(batch=5)
        self.topic.values = [published(1, OLD, "test")]
        self._renew()

    def _renew(self) -> None:
        """A worker that has read nothing yet."""
        self.versions = Versions(Reading(self.topic, None))

    async def start(self) -> None:
        await self.versions.refresh()
        await self.crash()

    async def apply(self, text: str) -> None:
        self.topic.values.append(published(len(self.topic.values) + 1, text, "test"))
        await self.versions.refresh()

    async def order(self, customer: str, day: int) -> None:
        self.kafka.publish(
            {**bought(day * DAY, f"{customer}-{day}"), "id": f"{customer}-{day}", "customer_id": customer}
        )
        await self.read(ORDERS, 1)

    def told(self) -> list[tuple[str, str, str, int, int]]:
        """(customer, sign and segment, cause, day, version) of all changes."""
        rows = []
        for value in self.kafka.changes:
            body = orjson.loads(value)
            sign = "+" if body["type"] == "segment.entered" else "-"
            day = (parse_rfc3339(body["effective_at"]) - START) // DAY
            rows.append(
                (body["customer_id"], sign + body["segment"], body["cause"]["kind"], day, body["definitions_version"])
            )
        return rows


def play(story: Callable[[Edited], Awaitable[None]]) -> Edited:
    """What came of a story."""

    async def told() -> Edited:
        world = Edited()
        await world.start()
        await story(world)
        return world

    return asyncio.run(told())


def test_what_is_due_before_keeps_its_cause_and_instant_and_the_rest_changes_at_one_instant() -> None:
    async def story(world: Edited) -> None:
        for customer, day in (("ann", 0), ("bob", 25)):
            await world.order(customer, day)
        await world.apply(NEW)  # nobody looked for a while: Ann has been away since day 30
        await world.wait(START + 40 * DAY)
        await world.sweep_all()

    world = play(story)
    assert world.told() == [
        ("ann", "+buyer", "event", 0, 1),
        ("bob", "+buyer", "event", 25, 1),
        ("ann", "+away", "time", 30, 1),
        ("ann", "-buyer", "definition", 40, 2),
        ("ann", "+fresh", "definition", 40, 2),
        ("bob", "-buyer", "definition", 40, 2),
        ("bob", "+away", "definition", 40, 2),
        ("bob", "+fresh", "definition", 40, 2),
    ]
    assert world.report().ok
    assert not world.store.shard(0).members["buyer"]


def test_whoever_is_touched_before_the_sweep_comes_is_judged_there_and_then() -> None:
    async def story(world: Edited) -> None:
        await world.order("ann", 0)
        await world.order("bob", 0)
        await world.wait(START + 5 * DAY)
        await world.apply(NEW)
        await world.settle()
        await world.order("ann", 6)
        await world.order("new", 6)

    world = play(story)
    assert world.told()[2:] == [
        ("ann", "-buyer", "definition", 5, 2),
        ("ann", "+fresh", "definition", 5, 2),
        ("ann", "-fresh", "event", 6, 2),
        ("new", "+fresh", "event", 6, 2),
    ]
    assert world.store.shard(0).judging == Judging(2, START + 5 * DAY, BEGINNING, 0)


def test_the_next_owner_goes_on_where_the_sweep_was() -> None:
    async def story(world: Edited) -> None:
        for customer in "abcdef":
            await world.order(customer, 0)
        await world.wait(START + DAY)
        await world.apply(NEW)
        await world.settle()
        await world.sweep()
        assert world.store.shard(0).judging == Judging(2, START + DAY, "b", 2)
        world._renew()
        await world.versions.refresh()
        await world.crash()
        await world.sweep_all()

    world = play(story)
    assert [row[0] for row in world.told()[6:]] == [customer for customer in "abcdef" for _twice in range(2)]
    assert world.store.shard(0).judging == Judging(2, START + DAY, None, 6)
    assert world.report().ok


def test_a_version_that_is_published_in_the_middle_of_a_sweep_takes_over_at_once() -> None:
    async def story(world: Edited) -> None:
        for customer in "abcd":
            await world.order(customer, 0)
        await world.apply(NEW)
        await world.wait(START + DAY)
        await world.settle()
        await world.sweep()
        await world.apply(OLD)
        await world.sweep_all()

    world = play(story)
    assert {row[0] for row in world.told()[4:]} == {"a", "b"}
    assert world.store.shard(0).members["buyer"] == set("abcd")
    assert world.report().ok


@pytest.mark.parametrize(("stored", "swept"), [(Judging(), None), (Judging(1), None), (Judging(7), "unknown")])
def test_a_state_goes_on_by_the_version_that_judged_it(stored: Judging, swept: str | None) -> None:
    async def story(world: Edited) -> None:
        await world.order("ann", 0)
        world.store.shard(0).judging = stored
        if swept is not None:
            with pytest.raises(VersionError, match=r"judged by version 7 of the definitions, and the latest .* is 1"):
                await world.crash()
            world.topic.values = [published(9, OLD, "anew")]
            world._renew()
            await world.versions.refresh()
        await world.crash()
        await world.sweep_all()

    world = play(story)
    assert world.store.shard(0).members == {"buyer": {"ann"}}
    assert len(world.told()) == 1
    assert world.store.shard(0).judging.sweep is None


def test_exits_come_before_entries_and_who_stays_has_been_in_since_they_entered() -> None:
    events: list[Event] = [{**bought(0, "o1"), "customer_id": "ann"}]
    profile = fed(events, shipped(), START)[0].profile
    definitions = compile_definitions(NEW)
    customer = unjudged(profile, {"gone": START, "away": START + 3}, LONG_AGO, START + 20 * DAY, definitions)
    found = cut_over(customer, definitions)
    assert [(one.entered, one.segment.key, one.effective_at) for one in found] == [
        (False, "gone", START + 20 * DAY),
        (True, "fresh", START + 20 * DAY),
    ]
    assert customer.since == {"away": START + 3, "fresh": START + 20 * DAY}
    assert [one.memberships for one in found] == [("away",), ("away", "fresh")]
    assert cut_over(customer, definitions) == []
