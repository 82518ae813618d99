"""How far the system has come: records not applied, customers due, changes not yet with the subscriber."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec
from redis import Redis, RedisError

from schemas.instants import Instant
from schemas.names import INPUTS
from streams.state import keys
from tests.faults.ledger import Ledger

_TIMEOUT = 2.0
BEHIND = 1.0
"""Seconds that a system under load may be behind and yet count as caught up: what is promised of a crossing."""


@dataclass(frozen=True)
class Sight:
    """One look at the system.

    Attributes:
        at: when, by the monotonic clock, it began.
        ends: (topic, shard) -> the offset after the last record.
        applied: the same, as far as the state has come.
        clock: the workers' clock.
        due: customers who are due by then.
        sequence: shard -> of the latest committed change.
        relayed: shard -> of the latest change known to be in Kafka.
    """

    at: float
    ends: dict[tuple[str, int], int]
    applied: dict[tuple[str, int], int]
    clock: Instant
    due: int
    sequence: dict[int, int]
    relayed: dict[int, int]

    def behind(self, earlier: "Sight") -> int:
        """Records that were there at an earlier look and are not applied now."""
        return sum(max(0, end - self.applied[place]) for place, end in earlier.ends.items())

    def __str__(self) -> str:
        """For people."""
        lag = {f"{topic}[{shard}]": self.ends[topic, shard] - done for (topic, shard), done in self.applied.items()}
        rows = ", ".join(f"{place} {count}" for place, count in lag.items() if count)
        unrelayed = {shard: last - self.relayed[shard] for shard, last in self.sequence.items()}
        return f"not applied: {rows or 'nothing'}; due: {self.due}; not relayed, by shard: {unrelayed}"


class Gauge:
    """Looks at Kafka and Redis from outside, past every proxy."""

    def __init__(
        self,
        bootstrap: str,
        prefix: str,
        redis: Redis,
        partitions: int,
        clock: Callable[[], Instant],
        ledger: Ledger,
    ) -> None:
        """`clock` is the workers'."""
        self._bootstrap = bootstrap
        self._admin = self._connect()
        self._prefix, self._redis, self._partitions = prefix, redis, partitions
        self._clock, self._ledger = clock, ledger
        self._sights: deque[Sight] = deque(maxlen=400)
        self._trouble = ""

    def _connect(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self._bootstrap, "log_level": 0})

    def look(self) -> Sight | None:
        """A look; None while one of both does not answer."""
        now, clock = time.monotonic(), self._clock()
        try:
            ends = self._ends()
            metas, due = self._stored(clock)
        except (KafkaException, RedisError, OSError) as error:
            self._trouble = f"; no look succeeds since then: {error!r}"
            self._admin = self._connect()  # it keeps the leader's epoch for ever, and is refused after a restart
            return None
        self._trouble = ""
        applied = {
            (topic, shard): int(meta[2 + number] or 0)
            for shard, meta in enumerate(metas)
            for number, topic in enumerate(INPUTS)
        }
        sequence = {shard: int(meta[0] or 0) for shard, meta in enumerate(metas)}
        relayed = {shard: int(meta[1] or 0) for shard, meta in enumerate(metas)}
        sight = Sight(now, ends, applied, clock, due, sequence, relayed)
        self._sights.append(sight)
        return sight

    def caught_up(self, since: float) -> bool:
        """Whether all that was there a second ago, but not before `since`, is done."""
        sight = self.look()
        if sight is None:
            return False
        earlier = [old for old in self._sights if since <= old.at <= sight.at - BEHIND]
        return bool(earlier) and not sight.behind(earlier[-1]) and self._settled(earlier[-1])

    def finished(self) -> bool:
        """Whether there is nothing left to do at all, and the subscriber has all that came of it."""
        sight = self.look()
        if sight is None or sight.behind(sight) or sight.due or sight.relayed != sight.sequence:
            return False
        return all(self._ledger.latest.get(shard, 0) >= last for shard, last in sight.sequence.items())

    @property
    def progress(self) -> tuple[int, ...]:
        """Numbers of which one is another whenever the system has done something since the look before."""
        if not self._sights:
            return ()
        sight = self._sights[-1]
        done = (sum(of.values()) for of in (sight.applied, sight.sequence, sight.relayed))
        return (*done, sight.due, self._ledger.changes)

    @property
    def latest(self) -> str:
        """The latest look that succeeded, for people."""
        return f"{self._sights[-1]}{self._trouble}" if self._sights else "nothing was ever seen"

    def _settled(self, earlier: Sight) -> bool:
        told = all(self._ledger.latest.get(shard, 0) >= last for shard, last in earlier.sequence.items())
        return told and not self._due(earlier.clock)

    def _ends(self) -> dict[tuple[str, int], int]:
        wanted = {
            TopicPartition(self._prefix + topic, number): OffsetSpec.latest()
            for topic in INPUTS
            for number in range(self._partitions)
        }
        answers = self._admin.list_offsets(wanted, request_timeout=_TIMEOUT)
        return {
            (tp.topic.removeprefix(self._prefix), tp.partition): answer.result(_TIMEOUT).offset
            for tp, answer in answers.items()
        }

    def _stored(self, clock: Instant) -> tuple[list[Any], int]:
        fields = ["sequence", "relayed", *(f"offset:{topic}" for topic in INPUTS)]
        pipeline = self._redis.pipeline(transaction=False)
        for shard in range(self._partitions):
            pipeline.hmget(keys.meta_key(shard), fields)
        return pipeline.execute(), self._due(clock)

    def _due(self, until: Instant) -> int:
        pipeline = self._redis.pipeline(transaction=False)
        for shard in range(self._partitions):
            pipeline.zcount(keys.due_key(shard), "-inf", until)
        return sum(pipeline.execute())
