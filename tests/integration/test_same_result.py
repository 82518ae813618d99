"""The same log ends in the same profiles and members by every road: the core alone, and 1, 2 and 3 workers."""

from pathlib import Path

import pytest

from schemas.errors import UndecodableError
from schemas.instants import DAY, Instant
from schemas.names import DEAD_LETTERS, REROUTED, SEGMENT_CHANGES
from schemas.wire import decode
from streams.clock import wall_clock
from streams.core.admission import admit
from streams.core.replay import Replay, replay
from streams.sources.files import open_events
from streams.sources.importing import FormatName, import_events
from streams.sources.shop import ShopPlan, lines
from tests.integration.system import System, definitions
from tests.stacks.isolation import FreshStack

pytestmark = pytest.mark.broker


def by_the_core_alone(path: Path, as_of: Instant | None = None) -> tuple[Replay, Instant, int]:
    """The outcome of a log, the instant it is of, and how many lines are no events."""
    known, events, refused = definitions(), [], 0
    for line in open_events(path):
        try:
            event = decode(line)
            admit(event, wall_clock(), known.rates)
        except UndecodableError:
            refused += 1
        else:
            events.append(event)
    until = max(event.occurred_at for event in events) if as_of is None else as_of
    return replay(events, known, until), until, refused


def fold(changes: list[dict[str, object]]) -> dict[str, list[str]]:
    """Who is in each segment by the change stream alone, for a subscriber that drops what it has seen.

    Checks on the way that no sequence is missing, and that what comes again, as it may when a shard moves, is the same.
    """
    seen: dict[tuple[int, int], dict[str, object]] = {}
    inside: dict[str, set[str]] = {segment.key: set() for segment in definitions().segments}
    latest: dict[int, int] = {}
    for change in changes:
        shard, sequence = int(str(change["shard"])), int(str(change["sequence"]))
        if sequence <= latest.get(shard, 0):
            assert change == seen[shard, sequence]
            continue
        seen[shard, sequence] = change
        assert sequence == latest.get(shard, 0) + 1, f"shard {shard}: {latest.get(shard, 0)} is followed by {sequence}"
        latest[shard] = sequence
        who = str(change["customer_id"] or f"anonymous:{change['anonymous_id']}")
        members = inside[str(change["segment"])]
        if change["type"] == "segment.entered":
            assert who not in members, f"{who} enters {change['segment']} twice"
            members.add(who)
        else:
            members.remove(who)
    return {key: sorted(members) for key, members in inside.items()}


async def check(system: System, path: Path, as_of: Instant | None = None) -> None:
    """The system ends where the core alone ends."""
    run, until, refused = by_the_core_alone(path, as_of)
    await system.wait_applied(until)
    assert await system.members() == run.members()
    assert await system.profiles() == {key: customer.profile for key, customer in run.customers.items()}
    assert fold(await system.read(SEGMENT_CHANGES)) == run.members()
    # A batch that is refused, for its shard has moved, is read again; its letters come again then, with the same ids.
    assert len({letter["id"] for letter in await system.read(DEAD_LETTERS)}) == refused


@pytest.mark.parametrize("workers", [1, 2, 3])
async def test_a_generated_shop_ends_alike_with_any_number_of_workers(
    fresh_stack: FreshStack, tmp_path: Path, workers: int
) -> None:
    path = tmp_path / "shop.jsonl"
    plan = ShopPlan(customers=150, days=60, seed=workers, duplicates=0.05, late=0.05, broken=0.01)
    path.write_bytes(b"\n".join(lines(plan)))
    _run, until, _refused = by_the_core_alone(path)
    async with System(fresh_stack, clock_at=str(until)) as system:
        for _ in range(workers):
            system.start_worker()
        system.publish(path)
        await check(system, path)


@pytest.mark.data
async def test_the_online_retail_part_ends_alike(fresh_stack: FreshStack, tmp_path: Path, shared_data: Path) -> None:
    path = tmp_path / "online-retail.jsonl"
    with path.open("wb") as sink:
        import_events(FormatName.ONLINE_RETAIL, shared_data / "online_retail_to_2011-05.csv.gz", sink)
    _run, until, _refused = by_the_core_alone(path)
    async with System(fresh_stack, clock_at=str(until + 30 * DAY)) as system:
        system.start_worker()
        system.publish(path)
        await check(system, path, until + 30 * DAY)


async def test_events_on_the_wrong_partition_are_rerouted_to_their_customer(
    fresh_stack: FreshStack, tmp_path: Path
) -> None:
    path = tmp_path / "shop.jsonl"
    path.write_bytes(b"\n".join(lines(ShopPlan(customers=40, days=40, seed=9, broken=0))))
    _run, until, _refused = by_the_core_alone(path)
    async with System(fresh_stack, clock_at=str(until)) as system:
        system.start_worker()
        system.publish_badly_keyed(path)
        await system.wait_applied(until)
        await check(system, path)
        assert len(await system.read(REROUTED)) > 100
