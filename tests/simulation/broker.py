"""An in-memory Kafka: partitions with offsets, producers that try again, and a sink that writes to it as ours does."""

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import orjson

from schemas.deadletters import DeadLetter
from schemas.names import DEAD_LETTERS, INPUTS, REROUTED, SEGMENT_CHANGES
from streams.kafka.sink import LOOK_BACK
from streams.shard.port import Forward
from streams.state.port import Outgoing
from tests.simulation.group import Group
from tests.simulation.loop import OWNER, Process
from tests.simulation.world import World

Place = tuple[str, int]
"""Topic and partition."""


class ProduceError(Exception):
    """The broker did not take it, or its acknowledgement never came."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A record in a partition."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int = 0
    is_control: bool = False
    """Whether it is a mark of a transaction, which takes an offset and which no reader is given."""


class Broker:
    """The partitions of all topics."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.logs: defaultdict[Place, list[Stored]] = defaultdict(list)
        self.listeners: list[Callable[[Place], None]] = []
        self.lossy_until = 0.0
        self.failing_until = 0.0

    def append(self, place: Place, key: bytes | None, value: bytes | None, *, is_control: bool = False) -> None:
        log = self.logs[place]
        self.world.note("append", *place, len(log), crc32(value or b""))
        log.append(Stored(len(log), key, value, int(self.world.loop.time() * 1000), is_control))
        for told in list(self.listeners):
            told(place)

    def end(self, place: Place) -> int:
        return len(self.logs[place])


class Lookout:
    """Sees to it that an owner of a shard sends no change that it could have seen in Kafka when it took the shard."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._visible: dict[tuple[Process, int], int] = {}
        self.needless: list[str] = []
        broker.listeners.append(self._appended)

    def claimed(self, process: Process, shard: int) -> None:
        """From now on the owner may look: what it sees is what is last, or whatever comes after."""
        self._visible[process, shard] = self._last(shard)

    def sends(self, process: Process, shard: int, sequence: int) -> None:
        """The owner sends changes from this one on."""
        if sequence <= self._visible.get((process, shard), 0):
            self.needless.append(f"{process.name} sent {shard}-{sequence}, which was in Kafka when it took the shard")
        self._visible.pop((process, shard), None)

    def _appended(self, place: Place) -> None:
        if place[0] == SEGMENT_CHANGES:
            for key, sequence in self._visible.items():
                if key[1] == place[1]:  # a late one from an earlier owner may hide what was last
                    self._visible[key] = min(sequence, self._last(place[1]))

    def _last(self, shard: int) -> int:
        log = self._broker.logs[SEGMENT_CHANGES, shard]
        return int(orjson.loads(log[-1].value or b"")["sequence"]) if log else 0


@dataclass
class Request:
    """Records on their way to one partition, as one produce request."""

    records: list[tuple[bytes | None, bytes | None]]
    done: "asyncio.Future[None]"
    written: bool = False


class Producer:
    """An idempotent producer: one request at a time for a partition, each written once however often it is sent.

    After one that failed no other gets through: the broker refuses what comes after a gap in the sequence numbers.
    """

    def __init__(self, broker: Broker, process: Process) -> None:
        self._broker = broker
        self._world = broker.world
        self._own = copy_context()
        self._own.run(OWNER.set, process)
        self._queues: defaultdict[Place, deque[Request]] = defaultdict(deque)
        self._broken: set[Place] = set()

    def send(self, place: Place, records: list[tuple[bytes | None, bytes | None]]) -> "asyncio.Future[None]":
        """Queue one request; what is returned ends when it is acknowledged."""
        request = Request(records, self._world.loop.create_future())
        queue = self._queues[place]
        queue.append(request)
        if len(queue) == 1:
            self._send(place)
        return request.done

    async def flush(self, place: Place) -> None:
        """Wait until whatever was queued for a partition has arrived or failed."""
        while on_the_way := [request.done for request in self._queues[place] if not request.done.done()]:
            await asyncio.wait(on_the_way)

    def _send(self, place: Place) -> None:
        """Have the first request of a queue reach the broker; a process that dies meanwhile does not stop it."""
        self._world.later(self._world.delay(), lambda: self._arrive(place, self._queues[place][0]))

    def _arrive(self, place: Place, request: Request) -> None:
        world, dice, now = self._world, self._world.dice, self._world.loop.time()
        fails = place in self._broken or (now < self._broker.failing_until and dice.random() < 0.5)
        if not request.written and (not fails or (place not in self._broken and dice.random() < 0.3)):
            request.written = True
            for key, value in request.records:
                self._broker.append(place, key, value)
        if fails:
            self._broken.add(place)
            world.happened["produce failure"] += 1
        elif now < self._broker.lossy_until and dice.random() < 0.5:
            world.happened["lost ack"] += 1
            world.later(dice.uniform(0.05, 0.5), lambda: self._arrive(place, request))
            return
        world.loop.call_later(world.delay(), self._acknowledged, place, fails, context=self._own)

    def _acknowledged(self, place: Place, failed: bool) -> None:  # noqa: FBT001 # a callback
        queue = self._queues[place]
        done = queue.popleft().done
        if failed and not done.done():
            done.set_exception(ProduceError(f"the broker does not take what is sent to {place}"))
            done.exception()  # who waits for it still gets it; nobody has to
        elif not done.done():
            done.set_result(None)
        if queue:
            self._send(place)


class BrokerSink:
    """`streams.shard.port.Sink`, as one worker sees it."""

    def __init__(self, broker: Broker, process: Process, lookout: Lookout) -> None:
        self._broker = broker
        self._world = broker.world
        self._process = process
        self._lookout = lookout
        self._producer = Producer(broker, process)

    async def tail(self, shard: int) -> int:
        place = (SEGMENT_CHANGES, shard)
        await self._producer.flush(place)
        await asyncio.sleep(self._world.delay())
        end = self._broker.end(place)
        if end == 0:
            return 0
        await asyncio.sleep(self._world.delay())
        last = self._broker.logs[place][max(0, end - LOOK_BACK) : end]
        return max(int(orjson.loads(record.value or b"")["sequence"]) for record in last)

    async def send_changes(self, shard: int, rows: Sequence[Outgoing]) -> Awaitable[None]:
        self._lookout.sends(self._process, shard, rows[0].sequence)
        await asyncio.sleep(0)
        size, done = self._world.dice.choice([1, 2, 100]), []
        for first in range(0, len(rows), size):
            piece: list[Any] = [(row.key, row.value) for row in rows[first : first + size]]
            done.append(self._producer.send((SEGMENT_CHANGES, shard), piece))
        return _all(done)

    async def send_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        rows = [((DEAD_LETTERS, letter.partition), letter.model_dump_json().encode()) for letter in letters]
        await _all([self._producer.send(place, [(None, value)]) for place, value in rows])

    async def send_forwards(self, forwards: Sequence[Forward]) -> None:
        await _all([self._producer.send((REROUTED, row.shard), [(row.key, row.value)]) for row in forwards])


class BrokerHistory:
    """`streams.shard.port.History`."""

    def __init__(self, broker: Broker, group: Group) -> None:
        self._broker = broker
        self._group = group

    async def bounds(self, shard: int) -> dict[str, tuple[int, int]]:
        await asyncio.sleep(self._broker.world.delay())
        return {topic: (0, self._broker.end((topic, shard))) for topic in INPUTS}

    async def settled(self, shard: int) -> dict[str, int]:
        await asyncio.sleep(self._broker.world.delay())
        return {tp.topic: offset for tp, offset in self._group.offsets.items() if tp.partition == shard}

    async def refused(self, shard: int) -> set[tuple[str, int]]:
        await asyncio.sleep(self._broker.world.delay())
        letters = [orjson.loads(record.value or b"") for record in self._broker.logs[DEAD_LETTERS, shard]]
        return {(letter["topic"], letter["offset"]) for letter in letters}

    async def changes(self, shard: int, after: int) -> AsyncIterator[bytes]:
        await asyncio.sleep(self._broker.world.delay())
        for record in list(self._broker.logs[SEGMENT_CHANGES, shard]):
            value = record.value or b""
            sequence = int(orjson.loads(value)["sequence"])
            if sequence > after:
                after = sequence
                yield value


async def _all(done: "Sequence[asyncio.Future[None]]") -> None:
    """As the real sink's: whoever stops waiting does not stop what is under way."""
    await asyncio.shield(asyncio.gather(*done))
