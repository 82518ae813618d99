"""A whole running system for tests: workers as processes, on a real Kafka and Redis, in a namespace of their own."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from redis.asyncio import Redis

from schemas.instants import NEVER, Instant
from schemas.names import INPUTS, REROUTED
from schemas.wire import route
from streams.core.definitions import Definitions, compile_definitions
from streams.core.profile import Profile
from streams.kafka.publisher import Publisher
from streams.kafka.topics import ensure_topics
from streams.settings import Settings
from streams.sources.files import open_events
from streams.state import keys
from streams.state.port import TopologyError
from streams.state.reader import Reader
from tests.stacks.isolation import FreshStack

PATIENCE = 60.0
"""Seconds after which a test gives up waiting for something that should have happened."""
PROGRAM = [str(Path(sys.executable).parent / "segments")]


def definitions() -> Definitions:
    """The definitions that are shipped."""
    return compile_definitions(Settings().definitions_path().read_text())


class System:
    """Workers and their surroundings. Use with `async with`; all processes end with it."""

    def __init__(self, fresh: FreshStack, partitions: int = 4, **settings: str) -> None:
        """`settings` are environment variables without their prefix, in lower case."""
        self.prefix = fresh.namespace
        self.kafka, self.redis_url = fresh.stack.bootstrap_servers, fresh.stack.redis_url
        self.partitions = partitions
        self.environment = {
            **os.environ,
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka,
            "REDIS_URL": self.redis_url,
            "SEGMENTS_TOPIC_PREFIX": self.prefix,
            "SEGMENTS_GROUP": f"{self.prefix}group",
            "SEGMENTS_PARTITIONS": str(partitions),
            "SEGMENTS_SESSION_TIMEOUT": "6",
            **{f"SEGMENTS_{name.upper()}": value for name, value in settings.items()},
        }
        self.behind: dict[tuple[str, int], int] = {}
        self.workers: list[subprocess.Popen[bytes]] = []

    async def __aenter__(self) -> Self:
        """Create the topics."""
        await ensure_topics(self.kafka, self.prefix, self.partitions, 1)
        return self

    async def __aexit__(self, *_exception: object) -> None:
        """End every worker."""
        for worker in self.workers:
            if worker.poll() is None:
                worker.kill()
            worker.wait()

    def start_worker(self, **settings: str) -> "subprocess.Popen[bytes]":
        """Start one more worker."""
        environment = self.environment | {f"SEGMENTS_{name.upper()}": value for name, value in settings.items()}
        worker = subprocess.Popen([*PROGRAM, "worker", "--log-level", "warning"], env=environment)
        self.workers.append(worker)
        return worker

    def stop_worker(self, worker: "subprocess.Popen[bytes]") -> int:
        """Stop a worker in good order; its exit code."""
        worker.send_signal(signal.SIGTERM)
        return worker.wait(PATIENCE)

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
        """Run the command line against this system."""
        return subprocess.run(
            [*PROGRAM, *arguments], env=self.environment, capture_output=True, timeout=PATIENCE, check=False
        )

    def publish(self, path: Path) -> None:
        """Publish a file of events."""
        done = self.run("publish", str(path))
        assert done.returncode == 0, done.stderr.decode()

    def publish_badly_keyed(self, path: Path) -> None:
        """Publish a file of events as a producer does that keys by event, not by customer."""
        publisher = Publisher(self.kafka, self.prefix)
        for line in open_events(path):
            publisher.send(route(line)[0], str(orjson.loads(line)["id"]), line)
        assert not publisher.finish()

    def send(self, topic: str, value: bytes, key: str = "") -> None:
        """Send one message, as it is."""
        self.send_all(topic, {key: value})

    def send_all(self, topic: str, messages: dict[str, bytes] | list[tuple[str, bytes]]) -> None:
        """Send messages, as they are, by their keys."""
        publisher = Publisher(self.kafka, self.prefix)
        for key, value in messages.items() if isinstance(messages, dict) else messages:
            publisher.send(topic, key, value)
        assert not publisher.finish()

    async def wait(self, what: str, ready: Callable[[Reader], Any]) -> None:
        """Wait until a coroutine function says True.

        Raises:
            AssertionError: it did not happen in time, or a worker died.
        """
        redis = Redis.from_url(self.redis_url)
        try:
            end = time.monotonic() + PATIENCE
            while not await ready(Reader(redis)):
                dead = [worker.pid for worker in self.workers if worker.poll() not in {None, 0, -9, -15}]
                assert not dead, f"workers {dead} died while waiting for: {what}"
                assert time.monotonic() < end, f"gave up waiting for: {what}; records not applied: {self.behind}"
                await asyncio.sleep(0.05)
        finally:
            await redis.aclose()

    async def wait_applied(self, until: Instant = -NEVER) -> None:
        """Wait until every record is applied, everything due by `until` is settled, and all changes are in Kafka."""
        ends = await self.ends(INPUTS)

        async def ready(reader: Reader) -> bool:
            try:
                offsets = await reader.offsets()
            except TopologyError:  # no worker has started yet
                return False
            now = await self.ends([REROUTED])
            self.behind = {
                place: end - offsets[place[0]].get(place[1], 0)
                for place, end in {**ends, **now}.items()
                if offsets[place[0]].get(place[1], 0) < end
            }
            return not self.behind and await self._nothing_due(until) and await self._relayed()

        await self.wait("every event applied", ready)

    async def wait_share(self, share: float) -> None:
        """Wait until a share of all records that there are now is applied."""
        ends = await self.ends(INPUTS)
        goal = share * sum(ends.values())

        async def ready(reader: Reader) -> bool:
            applied = sum(sum(offsets.values()) for offsets in (await reader.offsets()).values())
            return applied >= goal

        await self.wait(f"{share:.0%} of the events applied", ready)

    async def wait_owned(self) -> None:
        """Wait until every shard has a worker."""

        async def ready(reader: Reader) -> bool:
            owned = {shard for sign in (await reader.workers()).values() for shard in sign["shards"]}
            return owned == set(range(self.partitions))

        await self.wait("every shard owned", ready)

    async def _nothing_due(self, until: Instant) -> bool:
        redis = Redis.from_url(self.redis_url)
        try:
            counts = [await redis.zcount(keys.due_key(shard), "-inf", until) for shard in range(self.partitions)]
            return not any(counts)
        finally:
            await redis.aclose()

    async def _relayed(self) -> bool:
        redis = Redis.from_url(self.redis_url)
        try:
            metas = [
                await redis.hmget(keys.meta_key(shard), ["sequence", "relayed"]) for shard in range(self.partitions)
            ]
            return all(int(sequence or 0) == int(relayed or 0) for sequence, relayed in metas)
        finally:
            await redis.aclose()

    async def ends(self, topics: "tuple[str, ...] | list[str]") -> dict[tuple[str, int], int]:
        """(topic, shard) -> the offset after the last record."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.kafka)
        await consumer.start()
        try:
            partitions = [TopicPartition(self.prefix + topic, n) for topic in topics for n in range(self.partitions)]
            found = await consumer.end_offsets(partitions)
            return {(tp.topic.removeprefix(self.prefix), tp.partition): end for tp, end in found.items()}
        finally:
            await consumer.stop()

    async def members(self) -> dict[str, list[str]]:
        """Who is in each segment, by the members sets."""
        redis = Redis.from_url(self.redis_url)
        try:
            reader = Reader(redis)
            return {
                segment.key: sorted(customer for customer, _since in await reader.members(segment.key))
                for segment in definitions().segments
            }
        finally:
            await redis.aclose()

    async def profiles(self) -> dict[str, Profile]:
        """Every stored profile."""
        from streams.core.codec import unpack  # noqa: PLC0415 # only here

        redis = Redis.from_url(self.redis_url)
        try:
            found: dict[str, Profile] = {}
            for shard in range(self.partitions):
                stored: Any = await redis.hgetall(keys.profiles_key(shard))
                found |= {key.decode(): unpack(key.decode(), packed) for key, packed in stored.items()}
            return found
        finally:
            await redis.aclose()

    async def read(self, topic: str) -> list[dict[str, Any]]:
        """Every message of a topic, per partition in order."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.kafka, max_partition_fetch_bytes=32 * 1024 * 1024)
        await consumer.start()
        rows: list[dict[str, Any]] = []
        try:
            partitions = [TopicPartition(self.prefix + topic, n) for n in range(self.partitions)]
            for partition, end in (await consumer.end_offsets(partitions)).items():
                consumer.assign([partition])
                await consumer.seek_to_beginning(partition)
                while await consumer.position(partition) < end:
                    batch = await consumer.getmany(partition, timeout_ms=1000)
                    rows += [orjson.loads(record.value) for record in batch.get(partition, [])]
        finally:
            await consumer.stop()
        return rows
