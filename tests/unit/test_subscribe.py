"""A subscription by itself, on a change stream that is a list: what is taken, once, given up, and where it goes on."""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any

import orjson
import pytest

from consumers.errors import UnavailableError
from consumers.positions import MemoryPositions, Position
from consumers.retrying import Retrying
from consumers.selection import selection
from consumers.source import Record
from consumers.subscribed import Subscription
from schemas.instants import DAY, SECOND, Instant, rfc3339
from schemas.transitions import CauseKind, SegmentChange

NOW = 20_000 * DAY


def change(sequence: int, segment: str = "vip", kind: str = "event", age: int = 0, shard: int = 0) -> bytes:
    return orjson.dumps(
        {
            "id": f"{shard}-{sequence}",
            "type": "segment.entered",
            "segment": segment,
            "customer_id": "c1",
            "effective_at": rfc3339(NOW - age),
            "emitted_at": rfc3339(NOW),
            "cause": {"kind": kind},
            "definitions_version": 1,
            "memberships": [segment],
            "profile": {"orders": 1, "spend": "1.00", "currency": "GBP"},
            "evidence": [],
            "shard": shard,
            "sequence": sequence,
        }
    )


class ListSource:
    """Partitions as lists; stops the subscription when all is read."""

    topic = "segment-changes"

    def __init__(self, *values: bytes, committed: int | None = None, begin: int = 0) -> None:
        self.values, self.committed, self.first = values, committed, begin
        self.letters: list[dict[str, Any]] = []
        self.shown: dict[int, int] = {}
        self.subscription: Subscription[Any] | None = None
        self.at = 0
        self.since: Instant | None = None

    async def start(self, assigned: Any, revoked: Any) -> None:
        self.revoked = revoked
        await assigned([0])

    async def begin(self, shards: Collection[int], since: Instant | None, *, from_committed: bool) -> Mapping[int, int]:
        self.since = since
        known = self.committed if from_committed else None
        return dict.fromkeys(shards, self.first if known is None else known)

    async def seek(self, offsets: Mapping[int, int]) -> None:
        self.at = offsets[0]

    async def poll(self, _seconds: float) -> Mapping[int, Sequence[Record]]:
        records = [Record(offset, value) for offset, value in enumerate(self.values)][self.at :]
        self.at = len(self.values)
        if not records:
            assert self.subscription is not None
            self.subscription.stop()
            return {}
        return {0: records}

    async def commit(self, offsets: Mapping[int, int]) -> None:
        self.shown |= offsets

    async def send_letter(self, _shard: int, letter: bytes) -> None:
        self.letters.append(orjson.loads(letter))

    async def stop(self) -> None:
        pass


class Waits:
    """Remembers how long it was asked to sleep, and does not."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def subscription(
    source: ListSource, positions: MemoryPositions | None = None, waits: Waits | None = None, **wanted: Any
) -> Subscription[None]:
    chosen = selection(wanted.get("segments"), wanted.get("causes"), wanted.get("max_age"))
    retrying = Retrying(attempts=3, first_wait=0.5, longest_wait=4, sleep=waits or Waits())
    made = Subscription("group", chosen, source, positions or MemoryPositions(), retrying, lambda: NOW)
    source.subscription = made
    return made


async def taken(source: ListSource, positions: MemoryPositions | None = None, **wanted: Any) -> list[int]:
    return [change.sequence async for change in subscription(source, positions, **wanted)]


class Seen:
    """A handler that remembers what it was given, and fails as it is told."""

    def __init__(self, *faults: Exception) -> None:
        self.sequences: list[int] = []
        self.faults = list(faults)

    async def __call__(self, change: SegmentChange, _state: None) -> None:
        if change.sequence == 2 and self.faults:
            raise self.faults.pop(0)
        self.sequences.append(change.sequence)


@pytest.mark.parametrize(
    ("wanted", "sequences"),
    [
        ({}, [1, 2, 3]),
        ({"segments": {"vip"}}, [1, 3]),
        ({"segments": set()}, []),
        ({"causes": {CauseKind.TIME}}, [2]),
        ({"causes": set(CauseKind) - {CauseKind.DEFINITION}}, [1, 2]),
        ({"max_age": timedelta(seconds=5)}, [1, 2]),
        ({"max_age": timedelta(seconds=4)}, [1]),
    ],
)
async def test_only_what_was_asked_for_is_taken(wanted: dict[str, Any], sequences: list[int]) -> None:
    source = ListSource(
        change(1), change(2, "lapsed", "time", 5 * SECOND), change(3, kind="definition", age=6 * SECOND)
    )
    assert await taken(source, **wanted) == sequences


async def test_what_is_older_is_counted_apart_from_what_nobody_asked_for() -> None:
    made = subscription(
        ListSource(change(1), change(2, age=DAY), change(3, "x", age=DAY)),
        segments={"vip"},
        max_age=timedelta(hours=1),
    )
    assert [one.sequence async for one in made] == [1]
    assert (made.counts.taken, made.counts.old, made.counts.other) == (1, 1, 1)


async def test_what_comes_again_is_dropped_and_a_gap_is_counted() -> None:
    made = subscription(ListSource(change(1), change(2), change(1), change(2), change(3), change(7)))
    assert [one.sequence async for one in made] == [1, 2, 3, 7]
    assert (made.counts.repeated, made.counts.missed) == (2, 3)


async def test_a_restart_goes_on_after_the_last_change_that_is_done() -> None:
    positions, values = MemoryPositions(), [change(number) for number in range(1, 6)]
    assert await taken(ListSource(*values[:3]), positions) == [1, 2, 3]
    assert await taken(ListSource(*values), positions) == [4, 5]


async def test_a_loop_that_is_left_gets_its_last_change_again() -> None:
    positions, values = MemoryPositions(), [change(number) for number in range(1, 4)]
    async for one in subscription(ListSource(*values), positions):
        if one.sequence == 2:
            break
    assert await taken(ListSource(*values), positions) == [2, 3]


async def test_positions_move_on_over_what_nobody_wants() -> None:
    positions = MemoryPositions()
    source = ListSource(change(1, "other"), change(2, "other"))
    assert await taken(source, positions, segments={"vip"}) == []
    assert await positions.load("group", [0]) == {0: Position(2, 2)}
    assert source.shown == {0: 2}


async def test_where_a_new_group_begins_is_stored_before_it_has_seen_anything() -> None:
    positions = MemoryPositions()
    assert await taken(ListSource(begin=0), positions) == []
    assert await taken(ListSource(change(1), begin=1), positions) == [1]


async def test_without_a_position_the_groups_offset_in_kafka_counts() -> None:
    assert await taken(ListSource(change(1), change(2), committed=1)) == [2]


async def test_a_replay_takes_all_anew_from_its_time() -> None:
    positions, values = MemoryPositions(), [change(1), change(2), change(3)]
    assert await taken(ListSource(*values), positions) == [1, 2, 3]
    source = ListSource(*values, committed=3, begin=1)
    made = subscription(source, positions)
    await made.replay(NOW)
    assert [one.sequence async for one in made] == [2, 3]
    assert source.since == NOW


async def test_a_handler_that_fails_is_asked_again_with_longer_waits() -> None:
    source, waits = ListSource(change(1), change(2), change(3)), Waits()
    handler = Seen(ArithmeticError(), ArithmeticError())
    await subscription(source, waits=waits).run(handler)
    assert handler.sequences == [1, 2, 3]
    assert source.letters == []
    first, second = waits.seconds
    assert 0.5 <= first <= 1
    assert 1 <= second <= 1.5


async def test_a_change_that_no_attempt_takes_becomes_a_dead_letter_and_the_next_is_taken() -> None:
    source, positions = ListSource(change(1), change(2), change(3)), MemoryPositions()
    handler = Seen(*[ArithmeticError("c1")] * 3)
    made = subscription(source, positions)
    await made.run(handler)
    assert handler.sequences == [1, 3]
    (letter,) = source.letters
    assert (letter["id"], letter["reason"], letter["error"], letter["attempts"]) == (
        "group:segment-changes-0-1",
        "handler_failed",
        "ArithmeticError",
        3,
    )
    assert made.counts.letters == 1
    assert await positions.load("group", [0]) == {0: Position(3, 3)}


async def test_what_is_away_is_waited_for_and_is_no_fault_of_the_change() -> None:
    source, waits = ListSource(change(1), change(2)), Waits()
    handler = Seen(*[UnavailableError("away")] * 20)
    await subscription(source, waits=waits).run(handler)
    assert handler.sequences == [1, 2]
    assert source.letters == []
    assert max(waits.seconds) <= 4.5


async def test_a_message_that_is_no_change_becomes_a_dead_letter() -> None:
    source = ListSource(b"nonsense", change(1))
    assert await taken(source) == [1]
    assert [letter["reason"] for letter in source.letters] == ["undecodable"]


async def test_a_stop_while_something_is_away_leaves_the_change_for_the_next_start() -> None:
    positions, values = MemoryPositions(), [change(1), change(2), change(3)]
    source = ListSource(*values)
    made = subscription(source, positions)

    async def handler(one: SegmentChange, _state: None) -> None:
        if one.sequence == 2:
            made.stop()
            raise UnavailableError("away")

    await made.run(handler)
    assert await taken(ListSource(*values), positions) == [2, 3]
    assert source.letters == []


async def test_a_shard_that_went_to_another_member_is_left_at_once() -> None:
    source = ListSource(change(1), change(2), change(3))
    made = subscription(source)
    handled: list[int] = []

    async def handler(one: SegmentChange, _state: None) -> None:
        handled.append(one.sequence)
        source.revoked([0])

    await made.run(handler)
    assert handled == [1]
