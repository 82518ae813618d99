"""The system under measurement: topics filled beforehand, an empty Redis database, workers as processes."""

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

from confluent_kafka.admin import AdminClient, NewTopic
from redis import Redis

from bench.load import Message
from schemas.instants import Instant
from schemas.names import COMPACTED, DEAD_LETTERS, INPUTS, SEGMENT_CHANGES, TOPICS
from streams.kafka.publisher import Publisher
from streams.stacks import Stack
from streams.stacks.guarded import GuardedProcess
from streams.state import keys
from tests.stacks.choose import real_stack, why_no_stack
from tests.stacks.isolation import Databases, delete_topics

PARTITIONS = 4
PATIENCE = 1_800.0
"""Seconds after which a measurement gives up."""
_TIMEOUT = 30.0
_START = 60.0
PROGRAM = Path(sys.executable).parent / "segments"


class BenchError(Exception):
    """A measurement that could not be made; the message says why."""


def say(text: str) -> None:
    """One line of progress on stderr."""
    print(time.strftime("%H:%M:%S"), text, file=sys.stderr, flush=True)


class Installation:
    """One installation of ours: its topics, its Redis database, its processes. Use `Servers.install`.

    Attributes:
        prefix: begins the names of its topics.
        redis: a client of its database.
    """

    def __init__(self, stack: Stack, databases: Databases, directory: Path) -> None:
        """Create the topics; the database is empty."""
        self.bootstrap, self.prefix = stack.bootstrap_servers, f"bench-{uuid4().hex[:8]}-"
        self.directory = directory
        self._databases = databases
        self._processes: list[GuardedProcess] = []
        self._admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 2})
        self.create(TOPICS)
        self.empty()

    def empty(self) -> None:
        """An empty database; topics that the classifier writes are empty, those that it reads stay as they are."""
        self._databases.release()
        self.redis_url = self._databases.claim()
        self.redis: Redis = Redis.from_url(self.redis_url)
        self.group = f"{self.prefix}{uuid4().hex[:8]}"
        outputs = (SEGMENT_CHANGES, DEAD_LETTERS)
        written = {self.prefix + name for name in (*outputs, *COMPACTED)}
        there = written & set(self._admin.list_topics(timeout=_TIMEOUT).topics)
        for answer in self._admin.delete_topics(sorted(there)).values():
            answer.result(_TIMEOUT)
        self.create(outputs)

    def create(self, names: Iterable[str]) -> None:
        """Create topics, by their names without the prefix, as soon as none is called so any more.

        Raises:
            BenchError: one that was deleted does not go away.
        """
        end = time.monotonic() + _TIMEOUT
        topics = [NewTopic(self.prefix + name, PARTITIONS, 1, config={"retention.ms": "-1"}) for name in names]
        while set(self._admin.list_topics(timeout=_TIMEOUT).topics) & {topic.topic for topic in topics}:
            if time.monotonic() > end:
                raise BenchError("topics that were deleted did not go away")
            time.sleep(0.1)
        for answer in self._admin.create_topics(topics).values():
            answer.result(_TIMEOUT)

    def fill(self, messages: Iterable[Message], instants: Iterable[Instant] | None = None) -> int:
        """Publish messages, keyed by customer, stamped with their instants if given; how many they were.

        Raises:
            BenchError: one was not delivered.
        """
        publisher, count = Publisher(self.bootstrap, self.prefix, log_level=3), 0
        stamps = repeat(None) if instants is None else (instant // 1000 for instant in instants)
        for (topic, key, value), stamp in zip(messages, stamps, strict=False):
            publisher.send(topic, key, value, stamp)
            count += 1
        failures = publisher.finish()
        if failures:
            raise BenchError(f"{len(failures)} messages were not delivered: {failures[0]}")
        return count

    def environment(self, **settings: str) -> dict[str, str]:
        """Environment variables of a worker; `settings` are names of ours without their prefix."""
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap,
            "REDIS_URL": self.redis_url,
            "SEGMENTS_TOPIC_PREFIX": self.prefix,
            "SEGMENTS_GROUP": self.group,
            "SEGMENTS_PARTITIONS": str(PARTITIONS),
            **{f"SEGMENTS_{name.upper()}": value for name, value in settings.items()},
        }

    def start(self, name: str, command: list[str], environment: dict[str, str] | None = None) -> GuardedProcess:
        """Start a process; it ends with the installation at the latest, and with this program in any case."""
        process = GuardedProcess(name, command, self.directory, environment)
        process.start(lambda: True, _START)
        self._processes.append(process)
        return process

    def start_worker(self, **settings: str) -> GuardedProcess:
        """Start a worker."""
        command = [str(PROGRAM), "worker", "--log-level", "warning"]
        return self.start("worker", command, self.environment(**settings))

    def applied(self) -> int:
        """Records applied so far, over all shards and topics."""
        return sum(sum(map(int, row[2:])) for row in self._metas())

    def unrelayed(self) -> int:
        """Transitions committed that are not known to be in Kafka."""
        return sum(int(sequence) - int(relayed) for sequence, relayed, *_offsets in self._metas())

    def transitions(self) -> int:
        """Transitions committed so far."""
        return sum(int(row[0]) for row in self._metas())

    def due(self, until: int) -> int:
        """Customers who are to be looked at by an instant and were not yet."""
        pipeline = self.redis.pipeline(transaction=False)
        for shard in range(PARTITIONS):
            pipeline.zcount(keys.due_key(shard), "-inf", until)
        return sum(pipeline.execute())

    def _metas(self) -> list[list[bytes]]:
        pipeline = self.redis.pipeline(transaction=False)
        for shard in range(PARTITIONS):
            pipeline.hmget(keys.meta_key(shard), ["sequence", "relayed", *(f"offset:{topic}" for topic in INPUTS)])
        return [[value or b"0" for value in row] for row in pipeline.execute()]

    def stop(self) -> None:
        """End every process that was started, and remove the topics."""
        for process in self._processes:
            process.stop()
        self.redis.close()
        delete_topics(self.bootstrap, self.prefix)


class Servers:
    """A Kafka and a Redis, and what is installed on them. Use `servers()`."""

    def __init__(self, stack: Stack, directory: Path) -> None:
        """Nothing is installed yet."""
        self._stack = stack
        self._directory = directory
        self._databases = Databases(stack.redis_url)
        self._installed: list[Installation] = []

    def install(self) -> Installation:
        """One more installation; the Redis server is emptied."""
        made = Installation(self._stack, self._databases, self._directory)
        self._installed.append(made)
        return made

    def stop(self) -> None:
        """End all that was installed."""
        for made in self._installed:
            made.stop()
        self._databases.release()


@contextmanager
def servers() -> Iterator[Servers]:
    """A Kafka and a Redis of our own (`SEGMENTS_TEST_STACK` can name others); all that runs on them ends here.

    Raises:
        BenchError: there are none to be had.
    """
    stack = real_stack()
    if stack is None:
        raise BenchError(f"no real Kafka and Redis here ({why_no_stack()})")
    with stack as running, TemporaryDirectory(prefix="segments-bench-") as directory:
        made = Servers(running, Path(directory))
        try:
            yield made
        finally:
            made.stop()


def ensure_alive(process: GuardedProcess) -> None:
    """Do nothing while a process runs.

    Raises:
        BenchError: it has ended; the message carries the end of its log.
    """
    if not process.is_alive():
        raise BenchError(f"{process.name} ended; its log ends: {process.log.read_text()[-2000:]}")


def redis_info(redis: Redis) -> dict[str, Any]:
    """What the server says of itself."""
    found: Any = redis.info()
    return dict(found)
