"""Positions in Redis: the effect's commands and the position in one MULTI, the position watched meanwhile."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from redis import exceptions as refused
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from consumers.errors import UnavailableError
from consumers.positions import Act, Position, is_done

_AWAY = (
    refused.ConnectionError,
    refused.TimeoutError,
    refused.BusyLoadingError,
    refused.OutOfMemoryError,
    refused.ReadOnlyError,
)


class RedisPositions:
    """Keys `consumers:{GROUP}:position:SHARD`. An effect gets a pipeline, and only queues commands on it.

    What an effect reads, it reads with a client of its own. In a cluster its keys carry the tag `{GROUP}`, too.
    """

    def __init__(self, redis: Redis) -> None:
        """Use a client; close it yourself."""
        self._redis = redis

    async def load(self, group: str, shards: Collection[int]) -> dict[int, Position]:
        """See `Positions`."""
        with _away():
            stored: list[Any] = [await self._redis.get(_key(group, shard)) for shard in shards]
        return {shard: found for shard, text in zip(shards, stored, strict=True) if (found := _parse(text)) is not None}

    async def once(self, group: str, shard: int, position: Position, act: Act[Pipeline]) -> bool:
        """See `Positions`. A reply that was lost raises what a lost race does, and the next look tells which it was."""
        key = _key(group, shard)
        while True:
            with _away():
                async with self._redis.pipeline(transaction=True) as pipeline:
                    await pipeline.watch(key)
                    stored: Any = await pipeline.get(key)
                    if is_done(_parse(stored), position):
                        return False
                    pipeline.multi()  # type: ignore[no-untyped-call] # redis-py left this one out
                    await act(pipeline)
                    pipeline.set(key, f"{position.sequence} {position.offset}")
                    try:
                        await pipeline.execute()
                    except refused.WatchError:
                        continue
                    return True

    async def forget(self, group: str) -> None:
        """See `Positions`."""
        with _away():
            async for key in self._redis.scan_iter(match=f"consumers:{{{_literal(group)}}}:position:*"):
                await self._redis.delete(key)


def _key(group: str, shard: int) -> str:
    return f"consumers:{{{group}}}:position:{shard}"


def _literal(text: str) -> str:
    """A text as a pattern of Redis that matches only itself."""
    return "".join(f"\\{letter}" if letter in "*?[]\\^" else letter for letter in text)


def _parse(stored: bytes | str | None) -> Position | None:
    if stored is None:
        return None
    sequence, offset = (int(part) for part in stored.split())
    return Position(sequence, offset)


@contextmanager
def _away() -> Iterator[None]:
    """Redis cannot be reached, or takes no writes for now."""
    try:
        yield
    except _AWAY as error:
        raise UnavailableError(f"Redis, which holds the positions, is away: {type(error).__name__}") from error
