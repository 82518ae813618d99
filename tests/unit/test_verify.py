"""verify's comparisons: nothing to find in a sound state, and each check fails on the damage that it is there for."""

import asyncio
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace

import orjson
import pytest

from schemas.instants import DAY, MINUTE
from streams.core.codec import pack, unpack
from streams.core.profile import Profile
from streams.state.memory import ShardState
from streams.verify.changes import ChangeFold
from streams.verify.compare import (
    StoredCustomer,
    check_committed,
    check_members,
    check_offsets,
    check_outbox,
    check_profile,
    same,
)
from streams.verify.replay import Forwards, ShardReplay
from streams.verify.report import CHECKS, SHOWN, Report
from tests.oracle import Event
from tests.properties.world import World, lived
from tests.scenarios.events import START, added, bought, viewed
from tests.scenarios.story import shipped

EVENTS: list[Event] = [
    bought(0, "o1"),
    bought(2 * DAY, "o2", customer_id="bob"),
    added(3 * DAY, customer_id="bob"),
    viewed(5 * DAY),
]


def shop() -> World:
    """Two customers, read and settled half a year later: both have lapsed."""
    steps: list[tuple[object, ...]] = [("publish", 4), *(("read", topic, 4) for topic in ("orders", "site-events"))]
    return asyncio.run(lived(EVENTS, steps, 5))


def failed(world: World) -> set[str]:
    return {name for name, check in world.report().checks.items() if not check.ok}


def test_in_a_sound_state_there_is_nothing_to_find() -> None:
    report = shop().report()
    assert report.ok, report.lines()
    silent = {name for name, check in report.checks.items() if not check.checked}
    assert silent == {"offsets", "outbox"}  # what only Kafka knows
    assert report.checks["inputs"].checked == 4
    assert report.checks["changes"].checked > 6


def lose_a_profile(_world: World, state: ShardState) -> None:
    del state.profiles["ann"]


def forget_an_order(_world: World, state: ShardState) -> None:
    profile = unpack("ann", state.profiles["ann"])
    profile.orders.by_id.clear()
    profile.orders.derive()
    state.profiles["ann"] = pack(profile)


def invent_somebody(_world: World, state: ShardState) -> None:
    state.profiles["eve"] = state.profiles["ann"]


def forget_the_read_model(_world: World, state: ShardState) -> None:
    del state.lives["ann"]


def let_a_stranger_in(_world: World, state: ShardState) -> None:
    state.members["vip"] = {"stranger"}


def let_somebody_out_of_a_set(_world: World, state: ShardState) -> None:
    state.members["lapsed"].discard("ann")


def shift_a_since(_world: World, state: ShardState) -> None:
    live = orjson.loads(state.lives["ann"])
    live["in"]["lapsed"][0] += 1
    state.lives["ann"] = orjson.dumps(live)


def forget_a_change(world: World, _state: ShardState) -> None:
    del world.kafka.changes[2]


def forget_the_last_change(world: World, _state: ShardState) -> None:
    world.kafka.changes.pop()


def say_a_change_twice_under_new_numbers(world: World, state: ShardState) -> None:
    again = orjson.loads(world.kafka.changes[-1])
    again["sequence"] += 1
    world.kafka.changes.append(orjson.dumps(again))
    state.sequence += 1


def say_something_else_for_the_second_time(world: World, _state: ShardState) -> None:
    again = orjson.loads(world.kafka.changes[0])
    world.kafka.changes.append(orjson.dumps(again | {"segment": "vip"}))


def claim_other_memberships(world: World, _state: ShardState) -> None:
    change = orjson.loads(world.kafka.changes[0])
    world.kafka.changes[0] = orjson.dumps(change | {"memberships": []})


def move_memberships_all_over(world: World, state: ShardState) -> None:
    """Readers and subscribers agree, and both are wrong."""
    live, last = orjson.loads(state.lives["ann"]), orjson.loads(world.kafka.changes[-1])
    since = live["in"].pop("lapsed")[0]
    state.lives["ann"] = orjson.dumps(live)
    state.members["lapsed"].discard("ann")
    exit_of_hers = {
        "customer_id": "ann",
        "type": "segment.exited",
        "segment": "lapsed",
        "memberships": sorted(live["in"]),
    }
    world.kafka.changes.append(orjson.dumps(last | exit_of_hers | {"sequence": last["sequence"] + 1}))
    state.sequence += 1
    assert since


def swallow_a_record(world: World, state: ShardState) -> None:
    log = world.kafka.inputs["orders"]
    log.append(replace(log[0], offset=len(log), value=b"no event"))
    state.offsets["orders"] += 1


DAMAGES: list[tuple[Callable[[World, ShardState], None], set[str]]] = [
    (lose_a_profile, {"profiles"}),
    (forget_an_order, {"profiles", "rules"}),
    (invent_somebody, {"profiles", "rules"}),
    (forget_the_read_model, {"memberships", "rules"}),
    (let_a_stranger_in, {"profiles", "memberships"}),
    (let_somebody_out_of_a_set, {"memberships"}),
    (shift_a_since, {"memberships"}),
    (forget_a_change, {"sequences", "changes"}),
    (forget_the_last_change, {"memberships"}),
    (say_a_change_twice_under_new_numbers, {"changes"}),
    (say_something_else_for_the_second_time, {"sequences"}),
    (claim_other_memberships, {"changes"}),
    (move_memberships_all_over, {"rules"}),
    (swallow_a_record, {"inputs"}),
]


@pytest.mark.parametrize(("damage", "finds"), DAMAGES, ids=[damage.__name__ for damage, _finds in DAMAGES])
def test_each_check_fails_on_what_it_is_there_for(damage: Callable[[World, ShardState], None], finds: set[str]) -> None:
    world = shop()
    assert failed(world) == set()
    damage(world, world.store.shard(0))
    assert failed(world) == finds
    assert all(line for line in world.report().lines())


def in_the_middle() -> World:
    """Ann alone, five days after her order: she will lapse."""
    world = World(5)

    async def live() -> None:
        await world.open()
        world.unpublished = [bought(0, "o1")]
        await world.publish(1)
        await world.wait(START + 5 * DAY)
        await world.read("orders", 1)
        await world.settle()

    asyncio.run(live())
    return world


@pytest.mark.parametrize(("shift", "finds"), [(None, {"dues"}), (1, {"dues"}), (0, set()), (-MINUTE, set())])
def test_a_due_may_be_early_but_neither_late_nor_missing(shift: int | None, finds: set[str]) -> None:
    world = in_the_middle()
    dues = world.store.shard(0).dues
    if shift is None:
        del dues["ann"]
    else:
        dues["ann"] += shift
    assert failed(world) == finds


def replayed(report: Report, refused: dict[tuple[str, int], object], *, shards: int = 1) -> ShardReplay:
    """The replay of shard 0 with one order of ann's on it, and nothing else."""
    offsets = dict.fromkeys(("orders", "site-events", "support-contacts", "rerouted"), 1)
    replay = ShardReplay(0, shards, shipped(), lambda _customer: offsets, offsets, refused, Forwards(), report)
    replay.feed("orders", 0, orjson.dumps(bought(0, "o1")))
    return replay


def letter(raw: bytes) -> dict[str, object]:
    return {"complete": True, "raw_base64": b64encode(raw).decode(), "size": len(raw)}


@pytest.mark.parametrize("applied", [False, True])
def test_what_is_a_dead_letter_may_have_been_let_in_at_second_sight(applied: bool) -> None:  # noqa: FBT001
    report = Report()
    order = orjson.dumps(bought(0, "o1"))
    replay = replayed(report, {("orders", 0): letter(order)})
    alone = Report()
    with_it = replayed(alone, {}).profiles["ann"]
    stored = StoredCustomer(pack(with_it), None, None, frozenset()) if applied else None
    check_profile("ann", stored, replay, report)
    assert report.figures.get("applied and in the dead letters", 0) == applied
    assert report.checks["profiles"].ok


def test_a_dead_letter_must_hold_what_was_refused() -> None:
    report = Report()
    replayed(report, {("orders", 0): letter(b"something else")})
    assert not report.checks["inputs"].ok


def test_an_event_of_another_shard_must_be_forwarded_to_it() -> None:
    report = Report()
    shards = next(count for count in range(2, 50) if not replayed(report, {}, shards=count).profiles)
    replay = replayed(report, {}, shards=shards)
    (missing,) = replay.forwards.missing().values()
    assert missing == "orders[0] offset 0"
    replay.forwards.seen.update(replay.forwards.wanted)
    assert not replay.forwards.missing()


def test_offsets_may_be_neither_behind_the_groups_nor_beyond_kafkas() -> None:
    for applied, committed, end, good in ((5, 5, 5, True), (5, 4, 9, True), (4, 5, 9, False), (5, 0, 4, False)):
        report = Report()
        check_offsets(0, {"orders": applied}, {"orders": committed}, {"orders": end}, report)
        assert report.checks["offsets"].ok == good


def test_changes_may_wait_only_while_a_worker_runs() -> None:
    for waiting, running, good in (([], False, True), ([7], True, True), ([7], False, False)):
        report = Report()
        check_outbox(0, waiting, report, running=running)
        assert report.checks["outbox"].ok == good


def test_what_was_committed_must_be_somewhere() -> None:
    report = Report()
    check_committed(0, 7, 7, report)
    assert report.ok
    check_committed(0, 8, 7, report)
    assert not report.checks["sequences"].ok


def test_visits_at_the_edge_of_what_is_kept_do_not_tell_profiles_apart() -> None:
    def profile(*instants: int) -> Profile:
        made = Profile("ann")
        for at in instants:
            made.visits.add(at)
        made.seen_at = max(instants)
        made.engaged_at = max(instants)
        return made

    latest = 400 * DAY
    edge = latest - 91 * DAY
    assert same(profile(edge + 1, latest), profile(latest))
    assert not same(profile(latest - 80 * DAY, latest), profile(latest))
    assert same(
        profile(*range(0, 200 * 60 * MINUTE, 60 * MINUTE)), profile(*range(60 * MINUTE, 200 * 60 * MINUTE, 60 * MINUTE))
    )


def test_changes_whose_beginning_is_gone_are_numbered_and_added_up_from_where_they_begin() -> None:
    changes = shop().kafka.changes
    for first in range(1, len(changes)):
        report = Report()
        fold = ChangeFold(lambda _customer: 10**9, report, whole=False)
        for value in changes[first:]:
            fold.feed(value, "")
        fold.feed(changes[0], "what came before, once more")
        assert report.ok, report.lines()
        assert fold.last == len(changes)
        last = {body["customer_id"]: body["memberships"] for body in map(orjson.loads, changes[first:])}
        assert {customer: sorted(since) for customer, since in fold.memberships.items()} == last


def test_members_and_read_model_are_compared_where_changes_are_gone() -> None:
    live = orjson.dumps({"v": 1, "in": {"vip": [0, None]}})
    for members, good in ((frozenset({"vip"}), True), (frozenset[str](), False)):
        report = Report()
        check_members("ann", StoredCustomer(None, live, None, members), report)
        assert report.checks["memberships"].ok == good


def test_a_report_counts_all_and_shows_the_first() -> None:
    report = Report()
    for number in range(SHOWN + 5):
        report.differ("dues", f"c{number}", "is late", 1, 2)
    assert report.checks["dues"].differing == SHOWN + 5
    assert len(report.checks["dues"].differences) == SHOWN
    answer = report.as_json()
    assert not answer["ok"]
    assert set(answer["checks"]) == set(CHECKS)
    assert answer["checks"]["dues"]["differences"][0] == {"where": "c0", "what": "is late", "expected": 1, "found": 2}
