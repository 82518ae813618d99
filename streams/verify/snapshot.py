"""Reads the state of a shard as verify needs it: groups of customers, each whole, with the place the shard was at."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis

from streams.state import keys
from streams.state.port import Outgoing
from streams.state.reader import Place, read_place
from streams.state.redis_store import read_outbox
from streams.verify.compare import StoredCustomer

GROUP = 1_000
"""Customers read in one transaction: some milliseconds of Redis' time."""


@dataclass
class Snapshot:
    """A shard's customers, each with the place that the shard was at when they were read."""

    start: Place
    """The place before the first was read: whatever was applied by then is in here."""
    customers: dict[str, StoredCustomer] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)

    def place_of(self, profile_id: str) -> Place:
        """The place that a customer was read at; that of the start for somebody of whom nothing is stored."""
        return self.places.get(profile_id, self.start)

    def end(self, topic: str) -> int:
        """The latest offset that counts for anybody."""
        return max([self.start.offsets[topic], *(place.offsets[topic] for place in set_of(self.places.values()))])

    @property
    def sequence(self) -> int:
        """The latest sequence that counts for anybody."""
        return max([self.start.sequence, *(place.sequence for place in set_of(self.places.values()))])


def set_of(places: Iterable[Place]) -> list[Place]:
    """Each place once: those of a group are one object."""
    return list({id(place): place for place in places}.values())


class StateReader:
    """Reads shards. Never writes."""

    def __init__(self, redis: Redis) -> None:
        """Use a client; close it yourself."""
        self._redis = redis

    async def segments(self, shard: int) -> list[str]:
        """The segments that have a set of members in a shard."""
        prefix = keys.members_key(shard, "")
        return sorted([key.decode().removeprefix(prefix) async for key in self._redis.scan_iter(f"{prefix}*", 1_000)])

    async def ids(self, shard: int) -> set[str]:
        """Everybody of whom anything is stored in a shard."""
        redis, found = self._redis, set[str]()
        for key in (keys.profiles_key(shard), keys.live_key(shard)):
            found |= {customer.decode() async for customer, _value in redis.hscan_iter(key, count=1_000)}
        found |= {customer.decode() async for customer, _due in redis.zscan_iter(keys.due_key(shard), count=1_000)}
        for segment in await self.segments(shard):
            members = redis.sscan_iter(keys.members_key(shard, segment), count=1_000)
            found |= {customer.decode() async for customer in members}
        return found

    async def snapshot(self, shard: int, start: Place, ids: Collection[str]) -> Snapshot:
        """Some customers of a shard. `start` was read before the ids were."""
        taken = Snapshot(start)
        segments, order = await self.segments(shard), sorted(ids)
        for first in range(0, len(order), GROUP):
            group = order[first : first + GROUP]
            place, customers = await self._group(shard, group, segments)
            taken.customers |= dict(zip(group, customers, strict=True))
            taken.places |= dict.fromkeys(group, place)
        return taken

    async def _group(self, shard: int, ids: list[str], segments: list[str]) -> tuple[Place, list[StoredCustomer]]:
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.hgetall(keys.meta_key(shard))
        pipeline.hmget(keys.profiles_key(shard), ids)
        pipeline.hmget(keys.live_key(shard), ids)
        pipeline.zmscore(keys.due_key(shard), ids)
        for segment in segments:
            pipeline.smismember(keys.members_key(shard, segment), ids)
        meta, profiles, lives, dues, *inside = await pipeline.execute()
        customers = []
        for number, (profile, live, due) in enumerate(zip(profiles, lives, dues, strict=True)):
            members = frozenset(segment for segment, answers in zip(segments, inside, strict=True) if answers[number])
            customers.append(StoredCustomer(profile, live, None if due is None else int(due), members))
        return read_place(meta), customers

    async def outbox(self, shard: int, after: int) -> list[Outgoing]:
        """What waits to be sent, from a sequence on."""
        entries: Any = await self._redis.xrange(keys.outbox_key(shard), min=f"{after + 1}-0")
        rows = [row for _id, fields in entries for row in read_outbox(fields[b"rows"])]
        return [row for row in rows if row.sequence > after]
