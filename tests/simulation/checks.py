"""What must be true of a run in the end, each judged by something that had no part in it."""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import orjson

from consumers.subscription import ChangeStream
from schemas.instants import NEVER, Instant, parse_rfc3339
from schemas.live import read_live
from schemas.names import ANONYMOUS, DEAD_LETTERS, SEGMENT_CHANGES
from schemas.transitions import SegmentChange
from schemas.wire import decode
from streams.core.codec import unpack
from streams.core.definitions import compile_definitions
from streams.core.profile import Profile
from streams.core.replay import Replay, replay
from streams.core.step import resume
from tests.oracle import Event, membership, profile_id
from tests.properties.logs import net, visible
from tests.simulation import editions
from tests.simulation.plan import definitions
from tests.simulation.store import at_once

if TYPE_CHECKING:
    from tests.simulation.lateness import Watch
    from tests.simulation.run import Simulation
    from tests.simulation.switches import Switches


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be."""

    what: str
    where: str
    detail: str

    def __str__(self) -> str:
        return f"{self.what}: {self.where}: {self.detail}"


def check(
    simulation: "Simulation", watch: "Watch", switches: "Switches", *, drained: bool
) -> tuple[list[Finding], int]:
    """All findings of a run, and how many transitions were looked at."""
    checker = Checker(simulation, watch)
    findings = list(checker.drained(drained=drained))
    findings += checker.writers()
    findings += checker.repeats()
    findings += checker.crashes()
    findings += checker.stream()
    changes = at_once(checker.heard(switches.seen()))
    findings += checker.profiles()
    findings += checker.memberships(changes)
    findings += checker.crossings(changes)
    findings += checker.dues()
    findings += checker.letters()
    return findings, len(changes)


class Checker:
    """The state of a system at rest, and what the plan says it should be."""

    def __init__(self, simulation: "Simulation", watch: "Watch") -> None:
        self._simulation = simulation
        self._plan = simulation.plan
        self._states = {n: simulation.disk.memory.shard(n) for n in range(self._plan.shards)}
        self._logs = simulation.broker.logs
        self._watch = watch
        events = [decode(orjson.dumps(event)) for event in self._plan.events]
        self._version = simulation.versions
        text = editions.written(simulation.edition, definitions())
        parameters = simulation.parameters.latest
        self._models = None if parameters is None else parameters.model_dump()
        self._definitions = replace(compile_definitions(text, parameters), version=self._version)
        self._replay: Replay = replay(events, self._definitions, self._plan.end)

    def drained(self, *, drained: bool) -> Iterator[Finding]:
        """Everything was worked off."""
        if drained:
            return
        for shard, state in self._states.items():
            ends = {topic: self._simulation.broker.end((topic, shard)) for topic in state.offsets}
            due = sorted(at for at in state.dues.values() if at <= self._plan.end)
            detail = f"offsets {state.offsets} of {ends}, sequence {state.sequence}, relayed {state.relayed}, due {due}"
            yield Finding("not worked off", f"shard {shard}", detail)

    def writers(self) -> Iterator[Finding]:
        """Nobody wrote to a shard that somebody else had taken."""
        for intruder in self._simulation.disk.intruders:
            yield Finding("two writers", "store", intruder)

    def repeats(self) -> Iterator[Finding]:
        """Nobody sent what it could have seen to be there."""
        for needless in self._simulation.lookout.needless:
            yield Finding("sent again", "Kafka", needless)

    def crashes(self) -> Iterator[Finding]:
        """Nobody ended by themselves but where the store or Kafka did not answer."""
        for crash in self._simulation.world.needless_crashes:
            yield Finding("crashed", "worker", crash)

    def stream(self) -> Iterator[Finding]:
        """Per shard, sequences begin at 1, have no gap, and what comes again is the same."""
        for shard in self._states:
            seen: dict[int, bytes | None] = {}
            for record in self._logs[SEGMENT_CHANGES, shard]:
                sequence = int(orjson.loads(record.value or b"")["sequence"])
                if sequence in seen and seen[sequence] != record.value:
                    yield Finding("unlike duplicates", f"shard {shard}", f"sequence {sequence}")
                elif sequence not in seen and sequence != len(seen) + 1:
                    yield Finding("gap in the stream", f"shard {shard}", f"{sequence} after {len(seen)}")
                seen.setdefault(sequence, record.value)
            if len(seen) != self._states[shard].sequence:
                detail = f"{len(seen)} in Kafka, {self._states[shard].sequence} in the store"
                yield Finding("sequences differ", f"shard {shard}", detail)

    async def heard(self, seen: dict[int, int]) -> list[SegmentChange]:
        """The changes as a subscriber gets them, de-duplicated by the subscription library itself."""
        return [change async for change in _Subscriber(self._records(), seen)]

    async def _records(self) -> AsyncIterator[Any]:
        for shard in self._states:
            for record in self._logs[SEGMENT_CHANGES, shard]:
                yield record

    def profiles(self) -> Iterator[Finding]:
        """Every profile is what the pure core makes of the set of events, and lives in its own shard."""
        stored: dict[str, Profile] = {}
        for state in self._states.values():
            stored |= {key: unpack(key, packed) for key, packed in state.profiles.items()}
        expected = {key: customer.profile for key, customer in self._replay.customers.items()}
        for key in sorted(stored.keys() | expected.keys()):
            ours, theirs = stored.get(key), expected.get(key)
            if ours is None or theirs is None or visible(ours) != visible(theirs):
                yield Finding("profile", key, f"stored {ours}, expected {theirs}")

    def memberships(self, changes: list[SegmentChange]) -> Iterator[Finding]:
        """The oracle, the fold of the stream, the read model and the members sets all say the same."""
        events: defaultdict[str, list[Event]] = defaultdict(list)
        for event in self._plan.events:
            events[profile_id(event)].append(event)
        folded: defaultdict[str, set[str]] = defaultdict(set)
        for change in changes:
            inside, entered = folded[_who(change)], change.type == "segment.entered"
            if entered == (change.segment in inside):
                yield Finding("told twice", _who(change), f"{change.type} {change.segment} ({change.id})")
            inside ^= {change.segment}
            if set(change.memberships) != inside:
                yield Finding("memberships told", _who(change), f"{change.memberships} in {change.id}, not {inside}")
        for key in sorted(events.keys() | folded.keys()):
            inside = membership(events[key], self._plan.end, self._models)
            expected = {segment for segment, of in self._simulation.edition.items() if of in inside}
            yield from self._membership(key, expected, folded[key])

    def _membership(self, key: str, expected: set[str], folded: set[str]) -> Iterator[Finding]:
        state = next((one for one in self._states.values() if key in one.profiles), None)
        live = read_live(key, state.lives.get(key) if state else None)
        found = {
            "change stream": folded,
            "read model": {row.segment for row in live.segments},
            "members sets": {name for name, inside in state.members.items() if key in inside} if state else set(),
        }
        for where, said in found.items():
            if said != expected:
                yield Finding("memberships", f"{key} in the {where}", f"{sorted(said)}, not {sorted(expected)}")

    def crossings(self, changes: list[SegmentChange]) -> Iterator[Finding]:
        """None before its instant; and all of them, each at its own instant, where no event came late."""
        told: defaultdict[str, list[tuple[Instant, str, bool]]] = defaultdict(list)
        for change in changes:
            effective, emitted = _micros(change.effective_at), _micros(change.emitted_at)
            told[_who(change)].append((effective, change.segment, change.type == "segment.entered"))
            if change.cause.kind == "time" and effective > emitted and not self._seen_after(_who(change), effective):
                yield Finding("too early", _who(change), f"{change.id}: effective {effective}, emitted {emitted}")
        expected: defaultdict[str, list[tuple[Instant, str, bool]]] = defaultdict(list)
        for key, crossing in self._replay.transitions:
            expected[key].append((crossing.effective_at, crossing.segment.key, crossing.entered))
        if self._simulation.disk.lost or self._version > 1:
            return  # what was read again was told of in differences only; and each version had its time
        for key in sorted((told.keys() | expected.keys()) - self._watch.late):
            if net(told[key]) != net(expected[key]):
                yield Finding("crossings", key, f"told {told[key]}, expected {expected[key]}")

    def _seen_after(self, key: str, instant: Instant) -> bool:
        """Whether an event of the customer of that instant or later may have led to it."""
        return self._replay.customers[key].profile.seen_at >= instant

    def dues(self) -> Iterator[Finding]:
        """Whoever needs to be looked at again has a due time, and it is not too late."""
        for state in self._states.values():
            for key, packed in state.profiles.items():
                body: dict[str, Any] = orjson.loads(state.lives[key]) if key in state.lives else {"in": {}}
                since = {segment: row[0] for segment, row in body["in"].items()}
                customer = resume(unpack(key, packed), since, body.get("at", -NEVER), self._definitions)
                if key in state.lives and body["v"] != self._version:
                    yield Finding("version", key, f"judged by {body['v']}, not {self._version}")
                if customer.due < NEVER and state.dues.get(key, NEVER) > customer.due:
                    yield Finding("due", key, f"{state.dues.get(key)}, needed {customer.due}")

    def letters(self) -> Iterator[Finding]:
        """Each message that is no event is in the dead letters, and nothing else is."""
        found: set[str] = set()
        for shard in self._states:
            found |= {orjson.loads(record.value or b"")["id"] for record in self._logs[DEAD_LETTERS, shard]}
        for key in sorted(found ^ self._simulation.poison):
            yield Finding("dead letters", key, "no letter" if key in self._simulation.poison else "a good event")


class _Subscriber(ChangeStream):
    """The real subscription, to records that are there already."""

    def __init__(self, records: AsyncIterator[Any], seen: dict[int, int]) -> None:
        self._consumer = records
        self._seen = seen
        self.repeated = self.left_out = 0
        self._without = frozenset()


def _who(change: SegmentChange) -> str:
    return change.customer_id or f"{ANONYMOUS}{change.anonymous_id}"


def _micros(moment: Any) -> Instant:
    return moment if isinstance(moment, int) else parse_rfc3339(moment)
