"""Commands to Redis travel together; a refusal and a failure reach those whose commands they were."""

import asyncio
from typing import Any

import pytest
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import ResponseError

from streams.state.courier import Command, Courier


class Pipeline:
    """Answers each command with its own words, once it is let go."""

    def __init__(self, redis: "Redis") -> None:
        self.redis = redis
        self.commands: list[Command] = []

    def execute_command(self, *command: Any) -> None:
        self.commands.append(command)

    async def execute(self, *, raise_on_error: bool) -> list[Any]:
        assert not raise_on_error
        self.redis.trips.append(self.commands)
        self.redis.left.set()
        await self.redis.gate.wait()
        if self.redis.failure is not None:
            raise self.redis.failure
        return [ResponseError("no") if command[0] == "BAD" else " ".join(command) for command in self.commands]


class Redis:
    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.left = asyncio.Event()
        self.trips: list[list[Command]] = []
        self.failure: Exception | None = None

    def pipeline(self, *, transaction: bool) -> Pipeline:
        assert not transaction
        return Pipeline(self)


def courier(redis: Redis) -> Courier:
    return Courier(redis)  # type: ignore[arg-type] # all of it that a courier uses


async def test_what_is_asked_for_while_a_trip_is_under_way_goes_together_with_the_next() -> None:
    redis = Redis()
    post = courier(redis)
    first = asyncio.ensure_future(post.send(("GET", "a")))
    await redis.left.wait()
    others = [asyncio.ensure_future(post.send(("GET", name), ("TTL", name))) for name in ("b", "c")]
    await asyncio.sleep(0)
    redis.gate.set()
    assert await first == ["GET a"]
    assert await asyncio.gather(*others) == [["GET b", "TTL b"], ["GET c", "TTL c"]]
    assert redis.trips == [[("GET", "a")], [("GET", "b"), ("TTL", "b"), ("GET", "c"), ("TTL", "c")]]


async def test_a_refused_command_has_its_error_as_its_reply_and_the_others_theirs() -> None:
    redis = Redis()
    redis.gate.set()
    bad, good = await courier(redis).send(("BAD",), ("GET", "a"))
    assert isinstance(bad, ResponseError)
    assert good == "GET a"


async def test_a_failed_trip_fails_for_all_who_sent_with_it_and_the_next_one_goes() -> None:
    redis = Redis()
    post = courier(redis)
    redis.failure = NoConnection("away")
    lost = [asyncio.ensure_future(post.send(("GET", name))) for name in ("a", "b")]
    await redis.left.wait()
    redis.gate.set()
    for one in lost:
        with pytest.raises(NoConnection):
            await one
    redis.failure = None
    assert await post.send(("GET", "c")) == ["GET c"]


async def test_one_who_no_longer_waits_takes_nothing_from_the_others() -> None:
    redis = Redis()
    post = courier(redis)
    gone = asyncio.ensure_future(post.send(("GET", "a")))
    stays = asyncio.ensure_future(post.send(("GET", "b")))
    await redis.left.wait()
    gone.cancel()
    redis.gate.set()
    assert await stays == ["GET b"]
