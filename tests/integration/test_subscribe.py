"""Subscribers on a real Kafka and Redis: members that are killed, dead letters, replays, and one written in Node."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from redis.asyncio import Redis

from consumers.settings import SubscriberSettings
from consumers.subscribe import subscribe
from schemas.names import SEGMENT_CHANGES
from streams.kafka.topics import ensure_topics
from tests.stacks.isolation import FreshStack

pytestmark = pytest.mark.broker

_SHARDS = 4
_PATIENCE = 60.0
_ROOT = Path(__file__).parents[2]
_NODE = _ROOT / "docs" / "consumers" / "greeter.mjs"


def change(shard: int, sequence: int, customer: str = "c1", segment: str = "vip") -> bytes:
    return orjson.dumps(
        {
            "id": f"{shard}-{sequence}",
            "type": "segment.entered",
            "segment": segment,
            "customer_id": customer,
            "effective_at": "2026-01-31T12:00:00Z",
            "emitted_at": "2026-01-31T12:00:00Z",
            "cause": {"kind": "event"},
            "definitions_version": 1,
            "memberships": [segment],
            "profile": {"orders": 1, "spend": "1.00", "currency": "GBP"},
            "evidence": [],
            "shard": shard,
            "sequence": sequence,
        }
    )


async def until(what: str, ready: Callable[[], Awaitable[bool]]) -> None:
    end = time.monotonic() + _PATIENCE
    while not await ready():
        assert time.monotonic() < end, f"gave up waiting for: {what}"
        await asyncio.sleep(0.05)


class Group:
    """A change stream of one's own, and subscribers of one group in processes of their own."""

    def __init__(self, fresh: FreshStack) -> None:
        self.prefix, self.kafka, self.redis_url = fresh.namespace, fresh.stack.bootstrap_servers, fresh.stack.redis_url
        self.members: list[subprocess.Popen[bytes]] = []
        self.environment = {
            **os.environ,
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka,
            "REDIS_URL": self.redis_url,
            "SEGMENTS_TOPIC_PREFIX": self.prefix,
            "TOPIC_PREFIX": self.prefix,
        }
        self.settings = SubscriberSettings(kafka_bootstrap_servers=self.kafka, topic_prefix=self.prefix)

    def start(self, *command: str, cwd: Path = _ROOT) -> "subprocess.Popen[bytes]":
        program = command or (sys.executable, "-m", "tests.integration.greeter", f"{self.prefix}greeters")
        self.members.append(subprocess.Popen(program, cwd=cwd, env=self.environment))
        return self.members[-1]

    async def send(self, *values: bytes) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.kafka, acks="all")
        await producer.start()
        try:
            for value in values:
                shard = orjson.loads(value)["shard"]
                await producer.send(self.prefix + SEGMENT_CHANGES, value, partition=shard)
            await producer.flush()
        finally:
            await producer.stop()

    async def greeted(self) -> list[str]:
        async with Redis.from_url(self.redis_url) as redis:
            rows: Any = await redis.lrange("greeted", 0, -1)
        return [row.decode() for row in rows]

    async def wait_greeted(self, count: int) -> None:
        async def ready() -> bool:
            return len(await self.greeted()) >= count

        await until(f"{count} greetings", ready)


@pytest.fixture
async def group(fresh_stack: FreshStack) -> AsyncIterator[Group]:
    made = Group(fresh_stack)
    await ensure_topics(made.kafka, made.prefix, _SHARDS, 1)
    yield made
    for member in made.members:
        if member.poll() is None:
            member.kill()
        member.wait()


async def test_members_that_are_killed_and_joined_have_every_effect_once_and_in_order(group: Group) -> None:
    values = [change(shard, sequence) for sequence in range(1, 501) for shard in range(_SHARDS)]
    first, _second = group.start(), group.start()
    await group.send(*values[:1_000], *values[900:1_000])  # the relay of a worker that crashed sends some again
    await group.wait_greeted(200)
    first.kill()
    third = group.start()
    await group.send(*values[1_000:])
    await group.wait_greeted(2_000)
    third.send_signal(signal.SIGTERM)
    assert third.wait(_PATIENCE) == 0
    greeted = await group.greeted()
    for shard in range(_SHARDS):
        mine = [one for one in greeted if one.startswith(f"{shard}-")]
        assert mine == [f"{shard}-{sequence}" for sequence in range(1, 501)]


async def test_what_no_attempt_takes_is_in_the_topic_of_dead_letters(group: Group) -> None:
    await group.send(change(0, 1), change(0, 2, "cannot be greeted"), change(0, 3))
    group.start()
    await group.wait_greeted(2)
    assert await group.greeted() == ["0-1", "0-3"]
    consumer = AIOKafkaConsumer(
        group.prefix + group.settings.dead_letters, bootstrap_servers=group.kafka, auto_offset_reset="earliest"
    )
    async with asyncio.timeout(_PATIENCE), consumer:
        letter = orjson.loads((await consumer.getone()).value)
    assert (letter["error"], letter["partition"], letter["offset"], letter["attempts"]) == ("ArithmeticError", 0, 1, 5)


async def test_a_group_without_a_state_goes_on_at_its_offsets_and_can_replay_from_a_time(group: Group) -> None:
    async def read(count: int, since: int | None = None) -> list[int]:
        made = subscribe(f"{group.prefix}readers", since=0, settings=group.settings)
        if since is not None:
            await made.replay(since)
        found: list[int] = []
        async with asyncio.timeout(_PATIENCE):
            async for one in made:
                found.append(one.sequence)
                if len(found) == count:
                    made.stop()
        return found

    await group.send(change(0, 1), change(0, 2))
    assert await read(2) == [1, 2]
    between = time.time_ns() // 1_000 + 10_000
    await asyncio.to_thread(time.sleep, 0.02)  # Kafka's timestamps are whole milliseconds
    await group.send(change(0, 3))
    assert await read(1) == [3]
    assert await read(1, between) == [3]
    assert await read(3, 0) == [1, 2, 3]


async def test_a_consumer_in_node_needs_only_the_topic(group: Group, tmp_path: Path) -> None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None:
        pytest.skip("there is no node here")
    assert await asyncio.to_thread(subprocess.call, [node, "--check", str(_NODE)]) == 0
    if npm is None:
        pytest.skip("there is no npm here; the syntax of docs/consumers/greeter.mjs is right")
    shutil.copy(_NODE, tmp_path)
    install = [npm, "install", "--no-audit", "--no-fund", "--silent", "kafkajs@2.2.4"]
    if await asyncio.to_thread(subprocess.call, install, cwd=tmp_path):
        pytest.skip("kafkajs cannot be had here; the syntax of docs/consumers/greeter.mjs is right")
    await group.send(change(0, 1), change(0, 2, "c2"), change(0, 2, "c2"), change(1, 1, "c3", "lapsed"))
    started = group.start(node, _NODE.name, cwd=tmp_path)
    state = tmp_path / "greeter.json"

    async def ready() -> bool:
        return state.exists() and orjson.loads(state.read_bytes())["sequences"] == {"0": 2, "1": 1}

    await until("three changes in the file", ready)
    assert orjson.loads(state.read_bytes())["greeted"] == ["c1", "c2"]
    started.send_signal(signal.SIGTERM)
    assert started.wait(_PATIENCE) == 0
