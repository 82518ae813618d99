"""Carries commands to Redis together: what is asked for while a round trip is under way goes with the next one.

A worker with many shards and little to do in each would spend its time on round trips: their cost is per call, not per
command. Alone, a command goes at once.
"""

import asyncio
from typing import Any

from redis.asyncio import Redis

Command = tuple[Any, ...]


class Courier:
    """One pipeline after the other over a client."""

    def __init__(self, redis: Redis) -> None:
        """Nothing is under way."""
        self._redis = redis
        self._waiting: list[tuple[list[Command], asyncio.Future[list[Any]]]] = []
        self._trips: asyncio.Task[None] | None = None

    async def send(self, *commands: Command) -> list[Any]:
        """The replies to some commands, in order; a command that Redis refuses has its error as its reply.

        Raises:
            RedisError: Redis could not be reached, in spite of all retries; what happened to the commands is unknown.
        """
        future: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._waiting.append((list(commands), future))
        if self._trips is None or self._trips.done():
            self._trips = asyncio.ensure_future(self._travel())
        return await future

    async def _travel(self) -> None:
        while self._waiting:
            load, self._waiting = self._waiting, []
            try:
                replies = await self._replies([command for commands, _future in load for command in commands])
            except Exception as error:  # noqa: BLE001 # each sender hears of it
                for _commands, future in load:
                    if not future.done():
                        future.set_exception(error)
                continue
            for commands, future in load:
                own, replies = replies[: len(commands)], replies[len(commands) :]
                if not future.done():
                    future.set_result(own)

    async def _replies(self, commands: list[Command]) -> list[Any]:
        pipeline = self._redis.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        replies: list[Any] = await pipeline.execute(raise_on_error=False)
        return replies
