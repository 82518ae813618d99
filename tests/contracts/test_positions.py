"""What every place for positions promises (`consumers.positions`): an effect and its position, once."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from consumers.errors import UnavailableError
from consumers.positions import MemoryPositions, Position, Positions
from consumers.positions_redis import RedisPositions
from consumers.positions_sqlite import SqlitePositions
from streams.stacks.embedded import embedded_redis


@dataclass
class Place:
    """Positions of a kind, with an effect of that kind and how often it is there."""

    positions: Positions[Any]
    act: Callable[[Any], Awaitable[None]]
    effects: Callable[[], Awaitable[int]]
    undoes: bool = True


@pytest.fixture(scope="session")
def positions_redis() -> Iterator[str]:
    with embedded_redis() as url:
        yield url


def in_memory() -> Place:
    done: list[None] = []

    async def act(_state: None) -> None:
        done.append(None)

    async def effects() -> int:
        return len(done)

    return Place(MemoryPositions(), act, effects, undoes=False)


def in_redis(redis: Redis) -> Place:
    async def act(pipeline: Any) -> None:
        pipeline.incr("effects")

    async def effects() -> int:
        return int(await redis.get("effects") or 0)

    return Place(RedisPositions(redis), act, effects)


def in_sqlite(path: Path, positions: SqlitePositions) -> Place:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE effects (one INTEGER)")

    async def act(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO effects VALUES (1)")

    async def effects() -> int:
        with sqlite3.connect(path) as connection:
            return int(connection.execute("SELECT count(*) FROM effects").fetchone()[0])

    return Place(positions, act, effects)


@pytest.fixture(params=["memory", "redis", "sqlite"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    if request.param == "memory":
        yield in_memory()
    elif request.param == "redis":
        async with Redis.from_url(request.getfixturevalue("positions_redis")) as redis:
            await redis.flushdb()
            yield in_redis(redis)
    else:
        with SqlitePositions(tmp_path / "state.db") as positions:
            yield in_sqlite(tmp_path / "state.db", positions)


async def test_a_group_that_was_never_here_has_no_position(place: Place) -> None:
    assert await place.positions.load("group", [0, 1]) == {}


async def test_an_effect_and_its_position_are_there_after_it(place: Place) -> None:
    assert await place.positions.once("group", 3, Position(7, 20), place.act)
    assert await place.effects() == 1
    assert await place.positions.load("group", [2, 3]) == {3: Position(7, 20)}


@pytest.mark.parametrize("sequence", [6, 7])
async def test_what_was_seen_has_no_effect_again(place: Place, sequence: int) -> None:
    await place.positions.once("group", 3, Position(7, 20), place.act)
    assert not await place.positions.once("group", 3, Position(sequence, 19), place.act)
    assert await place.effects() == 1
    assert await place.positions.load("group", [3]) == {3: Position(7, 20)}


async def test_groups_and_shards_do_not_know_each_other(place: Place) -> None:
    await place.positions.once("group", 3, Position(7, 20), place.act)
    assert await place.positions.once("group", 2, Position(7, 20), place.act)
    assert await place.positions.once("other", 3, Position(7, 20), place.act)
    assert await place.effects() == 3


async def test_an_effect_that_fails_leaves_neither_itself_nor_a_position(place: Place) -> None:
    async def fails(state: Any) -> None:
        await place.act(state)
        raise ArithmeticError("after it wrote")

    with pytest.raises(ArithmeticError):
        await place.positions.once("group", 3, Position(7, 20), fails)
    assert await place.positions.load("group", [3]) == {}
    assert await place.effects() == (0 if place.undoes else 1)


async def test_a_beginning_is_stored_and_gives_way_to_the_first_change(place: Place) -> None:
    assert await place.positions.once("group", 3, Position(0, 20), place.act)
    assert await place.positions.once("group", 3, Position(1, 21), place.act)
    assert await place.positions.load("group", [3]) == {3: Position(1, 21)}


async def test_what_is_forgotten_is_done_anew_and_other_groups_stay(place: Place) -> None:
    await place.positions.once("group", 3, Position(7, 20), place.act)
    await place.positions.once("group*", 3, Position(7, 20), place.act)
    await place.positions.forget("group*")
    assert await place.positions.load("group", [3]) == {3: Position(7, 20)}
    assert await place.positions.once("group*", 3, Position(7, 20), place.act)


async def test_of_two_members_who_both_take_a_shard_for_theirs_one_has_the_effect(positions_redis: str) -> None:
    async with Redis.from_url(positions_redis) as redis, Redis.from_url(positions_redis) as other:
        await redis.flushdb()
        both_looked = asyncio.Barrier(2)
        runs: list[None] = []

        async def act(pipeline: Any) -> None:
            runs.append(None)
            if len(runs) <= 2:
                await both_looked.wait()
            pipeline.incr("effects")

        answers = await asyncio.gather(
            *(RedisPositions(client).once("group", 0, Position(1, 1), act) for client in (redis, other))
        )
        assert sorted(answers) == [False, True]
        assert await redis.get("effects") == b"1"


async def test_a_redis_that_is_away_is_unavailable() -> None:
    async with Redis.from_url("redis://127.0.0.1:1/0", retry=None) as redis:
        with pytest.raises(UnavailableError, match="is away"):
            await RedisPositions(redis).load("group", [0])


async def test_a_file_that_another_process_writes_to_is_unavailable(tmp_path: Path) -> None:
    with SqlitePositions(tmp_path / "state.db") as positions:
        positions._connection.execute("PRAGMA busy_timeout = 1")
        other = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(UnavailableError, match="locked by another process"):
            await positions.once("group", 0, Position(1, 1), in_memory().act)
        other.execute("ROLLBACK")
        other.close()
        assert await positions.once("group", 0, Position(1, 1), in_memory().act)
