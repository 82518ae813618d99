"""The peer: the same work as an ordinary Faust program does it. One event, one Redis read, one Redis write.

An agent per topic, `async for event in stream`, the same decoder and the same core as ours, the customer read from
Redis and written back around each event, each transition sent with `topic.send`. uvloop, hiredis, one process, every
setting at Faust's default or better. It has no outbox, no fencing and no clock: a crash loses or doubles transitions,
and time alone moves nobody. So it does less than our worker, which is in its favour.

The stored customer holds the rules' answers with their ends beside the profile: reading it back judges nothing.
"""

import asyncio
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import faust
import msgspec
import uvloop
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from schemas.instants import Instant
from schemas.names import SEGMENT_CHANGES, STREAMS
from schemas.wire import decode
from streams.clock import wall_clock
from streams.core.admission import admit, profile_id_of
from streams.core.changes import change_json
from streams.core.codec import pack, unpack
from streams.core.definitions import Definitions, compile_definitions
from streams.core.step import Customer, apply, newcomer, settle

CUSTOMERS_KEY = "peer:customers"
"""Hash: customer -> packed state."""


class Task(msgspec.Struct):
    """What to do, and where."""

    kafka: str
    redis: str
    prefix: str
    group: str
    definitions: str
    """Text of the definitions file."""
    events: int
    """After so many it ends."""
    directory: str
    """For Faust's own files."""
    result: str
    """Path of the file that `Measured` is written to."""


class Measured(msgspec.Struct):
    """What it took; seconds from the first event, CPU seconds of this process."""

    seconds: float
    seconds_to_half: float
    cpu: float
    transitions: int


def freeze(customer: Customer) -> bytes:
    """A customer as bytes."""
    profile = pack(customer.profile)
    return msgspec.msgpack.encode((profile, customer.holds, customer.untils, customer.since, customer.as_of))


def thaw(profile_id: str, stored: bytes) -> Customer:
    """The customer that `freeze` made bytes of."""
    profile, holds, untils, since, as_of = msgspec.msgpack.decode(stored)
    return Customer(unpack(profile_id, profile), holds, untils, since, as_of, min(untils))


def members_of(redis: Redis, definitions: Definitions, until: Instant) -> dict[str, list[str]]:
    """Who is in each segment as of an instant, by what the peer stored. Time is made up for: it has no clock."""
    rows: Any = redis.hgetall(CUSTOMERS_KEY)
    found: dict[str, list[str]] = {segment.key: [] for segment in definitions.segments}
    for name, stored in rows.items():
        customer = thaw(name.decode(), stored)
        settle(customer, until, definitions)
        for key in customer.since:
            found[key].append(name.decode())
    return {key: sorted(ids) for key, ids in found.items()}


class Peer:
    """The program."""

    def __init__(self, task: Task) -> None:
        """Nothing is connected yet."""
        self.task = task
        self.definitions = compile_definitions(task.definitions)
        self.redis = AsyncRedis.from_url(task.redis)
        self.app = faust.App(
            task.group,
            broker=f"kafka://{task.kafka}",
            autodiscover=False,
            web_enabled=False,
            datadir=task.directory,
            topic_allow_declare=False,
            topic_disable_leader=True,
            consumer_auto_offset_reset="earliest",
        )
        self.changes = self.app.topic(task.prefix + SEGMENT_CHANGES, key_serializer="raw", value_serializer="raw")
        for name in STREAMS:
            topic = self.app.topic(task.prefix + name, key_serializer="raw", value_serializer="raw")
            self.app.agent(topic, name=f"classify-{name}")(self._agent(name))
        self.done = asyncio.Event()
        self.transitions = self.begun = self.ended = 0
        self.marks: list[tuple[float, float]] = []
        """(wall clock, CPU seconds) at the first event, at half of them, and at the end."""
        self._one_at_a_time: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def _agent(self, topic: str) -> Callable[[AsyncIterator[bytes]], Coroutine[Any, Any, None]]:
        async def classify(stream: AsyncIterator[bytes]) -> None:
            async for value in stream:
                await self.handle(topic, value)

        return classify

    async def handle(self, topic: str, value: bytes) -> None:
        """Classify one event."""
        if not self.begun:
            self._mark()
        self.begun += 1
        event = decode(value, topic)
        admit(event, wall_clock(), self.definitions.rates)
        customer_id = profile_id_of(event)
        async with self._one_at_a_time[customer_id]:  # agents of other topics have the same customers
            stored: Any = await self.redis.hget(CUSTOMERS_KEY, customer_id)
            customer = thaw(customer_id, stored) if stored else newcomer(customer_id, self.definitions)
            transitions = apply(customer, event, self.definitions)
            await self.redis.hset(CUSTOMERS_KEY, customer_id, freeze(customer))
        for transition in transitions:
            self.transitions += 1
            body = change_json(transition, customer_id, self.definitions, 0, self.transitions, wall_clock())
            await self.changes.send(key=customer_id.encode(), value=body.encode())
        self.ended += 1
        if self.ended == self.task.events // 2:
            self._mark()
        if self.ended == self.task.events:
            self.done.set()

    def _mark(self) -> None:
        self.marks.append((time.perf_counter(), time.process_time()))

    async def run(self) -> Measured:
        """Classify all events; what it took, until Kafka has every change."""
        await self.app.start()
        try:
            await self.done.wait()
            await self.app.producer.flush()
            self._mark()
        finally:
            await self.app.stop()
            await self.redis.aclose()
        first, half, last = self.marks
        return Measured(last[0] - first[0], half[0] - first[0], last[1] - first[1], self.transitions)


def main() -> None:
    """Do the task that is given as JSON in the first argument, and write what it took."""
    task = msgspec.json.decode(sys.argv[1], type=Task)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        measured = runner.run(_run(task))
    Path(task.result).write_bytes(msgspec.json.encode(measured))


async def _run(task: Task) -> Measured:
    return await Peer(task).run()


if __name__ == "__main__":
    main()
