"""A shard, a Kafka and a store in memory: what befalls a state can be played through in a millisecond."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from random import Random

import orjson

from schemas.deadletters import DeadLetter
from schemas.events import Catalogue
from schemas.instants import NEVER
from schemas.names import INPUTS
from streams.models import Models
from streams.rebuild.ports import MutedSink, NoInputs, Past
from streams.shard.port import Forward, RecordBatch
from streams.shard.shard import Limits, Ports, Shard
from streams.state.memory import MemoryStore, ShardState
from streams.state.port import Outgoing, StaleError
from streams.verify.changes import ChangeFold
from streams.verify.compare import StoredCustomer, check_memberships, check_profile, check_rules
from streams.verify.replay import Forwards, ShardReplay
from streams.verify.report import Report
from streams.versions import Versions
from tests.oracle import SEGMENTS, Event
from tests.properties.logs import LAST
from tests.scenarios.events import START
from tests.scenarios.story import shipped
from tests.simulation import editions
from tests.simulation.store import at_once


@dataclass(frozen=True)
class Record:
    """A message in an input topic."""

    offset: int
    value: bytes
    timestamp: int = 0
    key: bytes | None = None


@dataclass
class Kafka:
    """One partition of each topic, and the ports that a shard has to it."""

    inputs: dict[str, list[Record]] = field(default_factory=lambda: {topic: [] for topic in INPUTS})
    changes: list[bytes] = field(default_factory=list)
    now: int = START
    in_dead_letters: set[tuple[str, int]] = field(default_factory=set)
    first: int = 0
    """The first offset that there still is, in every input."""

    def publish(self, event: Event) -> None:
        log = self.inputs[Catalogue.topic_of[event["type"]]]
        log.append(Record(len(log), orjson.dumps(event)))

    def end(self, topic: str, _shard: int) -> int | None:
        return len(self.inputs[topic])

    async def tail(self, _shard: int) -> int:
        return int(orjson.loads(self.changes[-1])["sequence"]) if self.changes else 0

    async def send_changes(self, _shard: int, rows: Sequence[Outgoing]) -> Awaitable[None]:
        self.changes += [row.value for row in rows]
        arrived = asyncio.get_running_loop().create_future()
        arrived.set_result(None)
        return arrived

    async def send_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        assert not letters

    async def send_forwards(self, forwards: Sequence[Forward]) -> None:
        assert not forwards

    async def bounds(self, _shard: int) -> dict[str, tuple[int, int]]:
        return {topic: (self.first, len(log)) for topic, log in self.inputs.items()}

    async def settled(self, _shard: int) -> dict[str, int]:
        return {}

    async def refused(self, _shard: int) -> set[tuple[str, int]]:
        return self.in_dead_letters

    async def changes_after(self, after: int) -> AsyncIterator[bytes]:
        for value in self.changes[after:]:
            yield value


class History:
    """`streams.shard.port.History` of such a Kafka."""

    def __init__(self, kafka: Kafka) -> None:
        self.bounds, self.settled, self.refused = kafka.bounds, kafka.settled, kafka.refused
        self._kafka = kafka

    def changes(self, _shard: int, after: int) -> AsyncIterator[bytes]:
        return self._kafka.changes_after(after)


class World:
    """A Kafka, a store and a worker of one shard."""

    def __init__(self, batch: int) -> None:
        self.kafka, self.store = Kafka(), MemoryStore()
        self.unpublished: list[Event] = []
        self.past: list[ShardState] = []
        self.made: ShardState | None = None
        history, clock = History(self.kafka), lambda: self.kafka.now
        self.topic = editions.Topic(editions.written({key: key for key in SEGMENTS}, shipped()))
        self.edition: editions.Edition = {key: key for key in SEGMENTS}
        self.parameters = editions.Parameters()
        models = Models(editions.Reading(self.parameters, None))
        self.versions = Versions(editions.Reading(self.topic, None), models)
        at_once(self.versions.refresh())
        self.ports = Ports(self.store, self.kafka, history, self.kafka, clock, lambda: LAST)
        self.limits = Limits(batch=batch, dues=2, page=2)
        self.shard = Shard(0, 1, self.versions, self.ports, self.limits)

    async def open(self) -> None:
        """As a worker does that has just been given the shard."""
        while True:
            try:
                return await self.shard.open()
            except StaleError:
                continue

    async def read(self, topic: str, count: int) -> None:
        """Have the shard read on, and Kafka take what it says."""
        await self.hurry(topic, count)
        await self.shard._relay.drain()

    async def hurry(self, topic: str, count: int) -> None:
        """Have the shard read on; what it says is not in Kafka yet."""
        start = self.shard.offsets[topic]
        records = self.kafka.inputs[topic][start : start + count]
        if records:
            end = start + len(records)
            await self.shard.process(RecordBatch(topic, 0, self.shard.epoch, start, end, records))
            self.past.append(deepcopy(self.store.shard(0)))

    async def publish(self, count: int) -> None:
        """Some more events come."""
        for event in self.unpublished[:count]:
            self.kafka.publish(event)
        del self.unpublished[:count]

    async def wait(self, until: int) -> None:
        """Time passes."""
        self.kafka.now = max(self.kafka.now, until)

    async def settle(self) -> None:
        while await self.shard.settle_due() >= self.limits.dues:
            pass
        await self.shard._relay.drain()
        self.past.append(deepcopy(self.store.shard(0)))

    async def edit(self, seed: int) -> None:
        """Another version of the definitions is published."""
        self.edition = editions.drawn(Random(seed), SEGMENTS)  # noqa: S311 # it must be the same each time
        await self.publish_edition()

    async def take_back(self) -> None:
        """Go back to the first version."""
        self.edition = {key: key for key in SEGMENTS}
        await self.publish_edition()

    async def refit(self, seed: int) -> None:
        """Publish other parameters of the predictions, and the definitions anew with them."""
        self.parameters.publish(editions.SHOPS[seed % len(editions.SHOPS)])
        await self.publish_edition("fit")

    async def publish_edition(self, origin: str = "apply") -> None:
        number, text = len(self.topic.values) + 1, editions.written(self.edition, shipped())
        self.topic.values.append(editions.published(number, text, "test", self.parameters.version, origin))
        await self.versions.refresh()

    async def sweep(self) -> None:
        """Have a page of customers judged anew."""
        await self.shard.sweep()
        await self.shard._relay.drain()
        self.past.append(deepcopy(self.store.shard(0)))

    async def sweep_all(self) -> None:
        """Have a version that was published take over, once nothing is due, and everybody judged by it."""
        await self.settle()
        await self.settle()
        while await self.shard.sweep():
            pass
        await self.settle()

    async def crash(self) -> None:
        """Another worker takes the shard."""
        self.shard.give_up()
        self.shard = Shard(0, 1, self.versions, self.ports, self.limits)
        await self.open()

    async def lose(self, back: int) -> None:
        """The store forgets what was written last; the worker notices."""
        epoch = self.store.shard(0).epoch
        state = deepcopy(self.past[-1 - back]) if back < len(self.past) else ShardState()
        self.store.shards[0] = replace(state, epoch=epoch, commit=f"{state.commit} set back")
        await self.open()

    async def make(self) -> None:
        """Make the state anew beside the live one."""
        made = MemoryStore()
        made.shards[0] = ShardState(told=0, silent=dict.fromkeys(INPUTS, NEVER))
        sink = MutedSink(self.kafka, await self.kafka.tail(0))
        past = Past(self.ports.history, dict.fromkeys(INPUTS, NEVER), incomplete=False)
        ports = replace(self.ports, store=made, sink=sink, history=past, inputs=NoInputs())
        shard = Shard(0, 1, self.versions, ports, self.limits)
        await shard.open()
        for topic, end in self.store.shard(0).offsets.items():
            if end:
                await shard.process(RecordBatch(topic, 0, shard.epoch, 0, end, self.kafka.inputs[topic][:end]))
        self.made = made.shard(0)

    async def cut_over(self) -> None:
        """Let what was made take the place of the live state, which may have gone on meanwhile."""
        if self.made is not None:
            self._cut_over(self.store.shard(0), self.made)
            self.made = None
            await self.open()

    def _cut_over(self, live: ShardState, made: ShardState) -> None:
        """What `cutover.lua` does; a state that was set back since has fewer changes than were told."""
        silent = {topic: max(end, live.silent.get(topic, 0)) for topic, end in live.offsets.items()}
        before = live.before if live.told is not None else live.lives
        self.store.shards[0] = replace(
            made,
            epoch=live.epoch,
            commit="rebuild",
            sequence=max(live.sequence, made.told or 0),
            relayed=max(live.relayed, made.told or 0) if live.sequence < (made.told or 0) else live.relayed,
            outbox=live.outbox if live.sequence >= (made.told or 0) else [],
            silent=silent,
            before=before,
        )

    def report(self) -> Report:
        """What verify makes of it."""
        report, state = Report(), self.store.shard(0)
        replay = ShardReplay(0, 1, shipped(), lambda _customer: state.offsets, state.offsets, {}, Forwards(), report)
        for topic, log in self.kafka.inputs.items():
            for record in log:
                replay.feed(topic, record.offset, record.value)
        fold = ChangeFold(lambda _customer: state.sequence, report)
        for number, value in enumerate(self.kafka.changes):
            fold.feed(value, str(number))
        for customer in {*state.profiles, *replay.profiles, *fold.memberships, *set().union(*state.members.values())}:
            members = frozenset(key for key, inside in state.members.items() if customer in inside)
            stored = StoredCustomer(
                state.profiles.get(customer), state.lives.get(customer), state.dues.get(customer), members
            )
            profile = check_profile(customer, stored, replay, report)
            check_memberships(customer, stored, fold.memberships.get(customer, {}), report)
            if profile is not None:
                check_rules(customer, profile, stored, self.versions.latest, report)
        return report


async def lived(events: list[Event], steps: list[tuple[object, ...]], batch: int) -> World:
    """A world in which all this has happened, and everything was read in the end."""
    world = World(batch)
    await world.open()
    world.unpublished = list(events)
    await world.publish(len(events) // 3)
    for name, *arguments in steps:
        await getattr(world, str(name))(*arguments)
    return await read_whole(world)


async def read_whole(world: World) -> World:
    """Have everything read that there is, and everything settled that is due."""
    await world.publish(len(world.unpublished))
    await world.wait(LAST)
    while any(offset < len(world.kafka.inputs[topic]) for topic, offset in world.shard.offsets.items()):
        for topic in INPUTS:
            await world.read(topic, 3)
    await world.settle()
    assert not world.shard.is_silent
    await world.sweep_all()
    return world
