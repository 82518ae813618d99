"""The keys of a state that is being made beside the live one: begun, thrown away, or put in its place."""

from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis

from schemas.instants import NEVER
from schemas.names import INPUTS
from streams.state import keys
from streams.state.port import StateError

_CUT_OVER = files("streams.state").joinpath("cutover.lua").read_text()


class Staging:
    """What is made under `streams.state.keys.REBUILD`, shard by shard."""

    def __init__(self, redis: Redis) -> None:
        """Use a client of `connect`."""
        self._redis = redis
        self._cut_over = redis.register_script(_CUT_OVER)

    async def begin(self, shard: int, token: str) -> None:
        """Start with nothing: a shard that is silent, whatever it reads. What an earlier rebuild left behind goes."""
        await self.discard(shard)
        meta: dict[Any, Any] = {"token": token, "told": 0, **{f"silent:{topic}": NEVER for topic in INPUTS}}
        await self._redis.hset(keys.REBUILD.meta(shard), mapping=meta)

    async def discard(self, shard: int) -> None:
        """Throw away what was made of a shard."""
        found = [key async for key in self._redis.scan_iter(keys.REBUILD.members(shard, "*"), count=1_000)]
        names = [getattr(keys.REBUILD, name)(shard) for name in ("meta", "profiles", "live", "due", "outbox", "told")]
        await self._redis.unlink(*found, *names)

    async def cut_over(self, shard: int, token: str, silent: Mapping[str, int], segments: Iterable[str]) -> None:
        """Put what was made in the place of the live state.

        Args:
            shard: its number.
            token: as given to `begin`.
            silent: input topic -> the offset up to which at least the shard stays silent.
            segments: the segments in force.

        Raises:
            StateError: what was made is no longer there.
        """
        pairs: list[str] = []
        for name in ("profiles", "live", "due", "told"):
            pairs += (getattr(keys.REBUILD, name)(shard), getattr(keys.Keys(), name)(shard))
        for segment in sorted({*segments, *await self._segments(shard)}):
            pairs += (keys.REBUILD.members(shard, segment), keys.members_key(shard, segment))
        live = [keys.meta_key(shard), keys.outbox_key(shard), keys.live_key(shard), keys.before_key(shard)]
        names = [*live, keys.REBUILD.meta(shard), *pairs]
        least: list[str | int] = [value for row in silent.items() for value in row]
        answer: Any = await self._cut_over(keys=names, args=[token, *least])
        if answer != b"OK":
            raise StateError(f"what was rebuilt of shard {shard} has gone from Redis; rebuild it again")

    async def _segments(self, shard: int) -> set[str]:
        """Every segment that has members, defined or not."""
        prefix = keys.members_key(shard, "")
        return {key.decode().removeprefix(prefix) async for key in self._redis.scan_iter(f"{prefix}*", count=1_000)}
