"""Reading a running system from outside: sizes, members, one customer. Never writes."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import orjson
from redis.asyncio import Redis

from schemas.instants import SECOND, Instant
from schemas.live import Live, read_live
from schemas.names import INPUTS
from schemas.placement import shard_of
from streams.core.codec import unpack
from streams.core.profile import Profile
from streams.state import keys
from streams.state.judging import Judging, read_judging
from streams.state.port import TopologyError

_PAGE = 5_000
"""Customers asked for in one call."""


ALIVE = 10 * SECOND
"""A worker that has not shown itself for this long does not run."""


@dataclass(frozen=True)
class Place:
    """Where a shard is at one instant."""

    offsets: dict[str, int]
    """Input topic -> the offset after the last record that was applied."""
    sequence: int
    """Of the latest committed change."""
    silent: bool
    """It is catching up, and says nothing meanwhile: see `streams.shard.silence`."""
    judging: Judging
    """By which version of the definitions it judges, and whether all who are stored were judged by it."""


def read_place(meta: dict[bytes, bytes]) -> Place:
    """The place that a shard's meta key tells."""
    offsets = {topic: int(meta.get(f"offset:{topic}".encode(), 0)) for topic in INPUTS}
    judging = read_judging({name.decode(): value for name, value in meta.items()})
    return Place(offsets, int(meta.get(b"sequence", 0)), b"told" in meta, judging)


@dataclass(frozen=True)
class CustomerState:
    """What is stored about one customer."""

    shard: int
    profile: Profile
    live: Live
    due: Instant | None
    version: int
    """Of the definitions that are in force where they live; 0: that was never written down."""


class Reader:
    """Reads the state that workers write."""

    def __init__(self, redis: Redis) -> None:
        """Use a client; close it yourself."""
        self._redis = redis

    async def shards(self) -> int:
        """How many shards there are.

        Raises:
            TopologyError: no worker has ever run on this Redis.
        """
        stored: Any = await self._redis.hget(keys.TOPOLOGY_KEY, "shards")
        if stored is None:
            raise TopologyError("there is no state in this Redis yet; start a worker: segments worker")
        return int(stored)

    async def members(self, segment: str, limit: int | None = None) -> list[tuple[str, Instant]]:
        """(customer, since) of a segment, the earliest first."""
        rows: list[tuple[str, Instant]] = []
        for shard in range(await self.shards()):
            found: Any = await self._redis.smembers(keys.members_key(shard, segment))
            ids = [customer.decode() for customer in found]
            for first in range(0, len(ids), _PAGE):
                rows += await self._since(shard, segment, ids[first : first + _PAGE])
        rows.sort(key=lambda row: (row[1], row[0]))
        return rows if limit is None else rows[:limit]

    async def _since(self, shard: int, segment: str, ids: list[str]) -> list[tuple[str, Instant]]:
        """Since when some members are; who left in this very moment is left out."""
        lives: Any = await self._redis.hmget(keys.live_key(shard), ids)
        rows = [
            (customer, orjson.loads(live)["in"].get(segment)) for customer, live in zip(ids, lives, strict=True) if live
        ]
        return [(customer, row[0]) for customer, row in rows if row is not None]

    async def sizes(self, segments: list[str]) -> dict[str, int]:
        """How many members each segment has."""
        shards = await self.shards()
        pipeline = self._redis.pipeline(transaction=False)
        for segment in segments:
            for shard in range(shards):
                pipeline.scard(keys.members_key(shard, segment))
        counts: Any = await pipeline.execute()
        return {segment: sum(counts[i * shards : (i + 1) * shards]) for i, segment in enumerate(segments)}

    async def shard_of(self, profile_id: str) -> int:
        """The shard that a customer lives in."""
        return shard_of(profile_id, await self.shards())

    async def customer(self, profile_id: str) -> CustomerState | None:
        """One customer; None where nobody of that id has been seen.

        Raises:
            LayoutError: the profile was written by another version.
        """
        shard = await self.shard_of(profile_id)
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.hget(keys.profiles_key(shard), profile_id)
        pipeline.hget(keys.live_key(shard), profile_id)
        pipeline.zscore(keys.due_key(shard), profile_id)
        pipeline.hget(keys.meta_key(shard), "version")
        packed, live, due, version = await pipeline.execute()
        if packed is None:
            return None
        profile = unpack(profile_id, packed)
        at = None if due is None else int(due)
        return CustomerState(shard, profile, read_live(profile_id, live), at, int(version or 0))

    async def profiles(self, shard: int) -> AsyncIterator[list[Profile]]:
        """Every profile of a shard, some at a time, each once; whoever comes meanwhile may be left out.

        Raises:
            LayoutError: one was written by another version.
        """
        cursor, seen = 0, set[str]()
        while True:
            found: Any = await self._redis.hscan(keys.profiles_key(shard), cursor, count=1_000)
            cursor, rows = found
            fresh = {key.decode(): packed for key, packed in rows.items()}
            yield [unpack(customer, packed) for customer, packed in fresh.items() if customer not in seen]
            seen |= fresh.keys()
            if not cursor:
                return

    async def customers(self, shard: int) -> int:
        """How many profiles are stored in a shard."""
        count: Any = await self._redis.hlen(keys.profiles_key(shard))
        return int(count)

    async def offsets(self) -> dict[str, dict[int, int]]:
        """Input topic -> shard -> the offset that the state has been brought up to."""
        found: dict[str, dict[int, int]] = {topic: {} for topic in INPUTS}
        for shard in range(await self.shards()):
            fields = [f"offset:{topic}" for topic in INPUTS]
            stored: Any = await self._redis.hmget(keys.meta_key(shard), fields)
            for topic, offset in zip(INPUTS, stored, strict=True):
                found[topic][shard] = int(offset or 0)
        return found

    async def place(self, shard: int) -> Place:
        """Where a shard is right now."""
        meta: Any = await self._redis.hgetall(keys.meta_key(shard))
        return read_place(meta)

    async def judging(self) -> dict[int, Judging]:
        """Shard -> by which version of the definitions it judges."""
        return {shard: (await self.place(shard)).judging for shard in range(await self.shards())}

    async def alive(self, now: Instant) -> dict[str, dict[str, Any]]:
        """As `workers`, of those that run; `now` is the wall clock."""
        return {name: sign for name, sign in (await self.workers()).items() if now - sign["at"] < ALIVE}

    async def workers(self) -> dict[str, dict[str, Any]]:
        """Worker -> its latest sign of life: at, shards, lag."""
        stored: Any = await self._redis.hgetall(keys.WORKERS)
        return {name.decode(): orjson.loads(sign) for name, sign in stored.items()}
