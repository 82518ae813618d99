"""The subscription library: changes that a group wants, each with its effect once, in order within a shard.

async for change in subscribe("win-back", segments={"lapsed"}, max_age=timedelta(days=1)): ...

await subscribe("vip-greeting", segments={"vip"}, positions=SqlitePositions("vip.db")).run(greet)
"""

import time
from collections.abc import Collection
from datetime import timedelta
from typing import TypeVar, overload

from consumers.kafka_source import KafkaSource
from consumers.positions import MemoryPositions, Positions
from consumers.retrying import Retrying
from consumers.selection import selection
from consumers.settings import SubscriberSettings
from consumers.subscribed import Subscription
from schemas.instants import Instant
from schemas.transitions import CauseKind

State = TypeVar("State")


def wall_clock() -> Instant:
    """The wall clock, in microseconds."""
    return time.time_ns() // 1_000


@overload
def subscribe(
    group: str,
    *,
    segments: Collection[str] | None = ...,
    causes: Collection[CauseKind] | None = ...,
    max_age: timedelta | None = ...,
    since: Instant | None = ...,
    settings: SubscriberSettings | None = ...,
) -> Subscription[None]: ...


@overload
def subscribe(
    group: str,
    *,
    segments: Collection[str] | None = ...,
    causes: Collection[CauseKind] | None = ...,
    max_age: timedelta | None = ...,
    since: Instant | None = ...,
    settings: SubscriberSettings | None = ...,
    positions: Positions[State],
) -> Subscription[State]: ...


def subscribe(  # each is a choice of its own, and has a default
    group: str,
    *,
    segments: Collection[str] | None = None,
    causes: Collection[CauseKind] | None = None,
    max_age: timedelta | None = None,
    since: Instant | None = None,
    settings: SubscriberSettings | None = None,
    positions: Positions[State] | None = None,
) -> "Subscription[State] | Subscription[None]":
    """Subscribe to segment changes. Nothing is connected before it is iterated, or `run`.

    Args:
        group: who subscribes; members of one group share the shards, and one position in each.
        segments: only changes of these segments; None: of all.
        causes: only changes with these causes; None: with any. `set(CauseKind) - {CauseKind.DEFINITION}` leaves out
            those whom an edit of the definitions moved.
        max_age: what became effective longer ago is skipped, and counted.
        since: where a group begins that was never here: with what was emitted at that instant (microseconds) or
            later. 0: with the first change that Kafka has; None: from now on.
        settings: Kafka, dead letters and retries; from the environment if not given.
        positions: where the group's positions are kept, with the state that its effects write. Without one, only
            Kafka's offsets of the group tell where to go on: after a crash some changes come again.
    """
    chosen = SubscriberSettings() if settings is None else settings
    source = KafkaSource(group, chosen)
    wanted = selection(segments, causes, max_age)
    retrying = Retrying(chosen.attempts, chosen.first_wait, chosen.longest_wait)
    if positions is None:
        return Subscription(group, wanted, source, MemoryPositions(), retrying, wall_clock, since)
    return Subscription(group, wanted, source, positions, retrying, wall_clock, since)
